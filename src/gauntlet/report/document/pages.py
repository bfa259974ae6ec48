"""A document as one self-contained HTML file and as Markdown."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from gauntlet.report.document.model import CODE, LINK, STRONG, Document

TABLES = (
    "Each table is also a file in `tables/`, named beside its caption: CSV with the cells as shown "
    "and the numbers of each interval unrounded (value, low, high), and LaTeX (booktabs)."
)


def as_html(document: Document) -> str:
    """Return one HTML file with its style and its pictures inside."""
    return _render("document.html", document)


def as_markdown(document: Document, folder: str = "figures") -> str:
    """Return Markdown whose pictures are files of `folder`, each named after its figure."""
    text = _render("document.md", document, folder=folder)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _render(template: str, document: Document, **names: str) -> str:
    pages = Environment(
        loader=PackageLoader("gauntlet.report.document"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["inline"] = _inline
    pages.filters["cell"] = lambda text: str(text).replace("|", r"\|").replace("\n", " ")
    where = TABLES if any(document.tables) else ""
    return pages.get_template(template).render(document=document, where=where, **names)


def _inline(text: str) -> Markup:
    """Return a paragraph's text as HTML."""
    html = CODE.sub(r"<code>\1</code>", str(escape(str(text))))
    html = LINK.sub(r'<a href="\2">\1</a>', html)
    return Markup(STRONG.sub(r"<strong>\1</strong>", html))  # noqa: S704 -- escaped
