"""Documents: what a report says, once; shown as one self-contained HTML file and as Markdown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape


@dataclass(frozen=True)
class Text:
    """A paragraph; `backticks` mark code, **two stars** what is strong, [text](#anchor) a link."""

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Commands:
    """Lines to type."""

    lines: Sequence[str]
    kind: ClassVar[str] = "commands"


@dataclass(frozen=True)
class Table:
    """Text in rows; cells are paragraphs' text, without line breaks."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        name: of its file, without `.png`.
        png: its content.
        caption: what it shows, and the runs behind it.
    """

    name: str
    png: bytes
    caption: str
    kind: ClassVar[str] = "figure"

    @property
    def uri(self) -> str:
        """The picture as an address that needs no network."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


Block = Text | Commands | Table | Figure


class Section(NamedTuple):
    """A heading and what stands under it; `level` 2 is the highest."""

    title: str
    blocks: Sequence[Block]
    level: int = 2

    @property
    def anchor(self) -> str:
        """The section's address in the page."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


class Document(NamedTuple):
    """A whole report."""

    title: str
    abstract: Sequence[str]
    sections: Sequence[Section]

    @property
    def figures(self) -> Iterator[Figure]:
        """Every figure, in order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Figure))


def as_html(document: Document) -> str:
    """Return one HTML file with its style and its pictures inside."""
    return _render("document.html", document)


def as_markdown(document: Document, folder: str = "figures") -> str:
    """Return Markdown whose pictures are files of `folder`, each named after its figure."""
    text = _render("document.md", document, folder=folder)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def write(document: Document, folder: Path, name: str) -> list[Path]:
    """Write `name`.html, `name`.md and `figures/` into a folder; return the files."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    files = {
        folder / f"{name}.html": as_html(document).encode(),
        folder / f"{name}.md": as_markdown(document).encode(),
    }
    files |= {folder / "figures" / f"{one.name}.png": one.png for one in document.figures}
    for path, content in files.items():
        path.write_bytes(content)
    return list(files)


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
    return pages.get_template(template).render(document=document, **names)


def _inline(text: str) -> Markup:
    """Return a paragraph's text as HTML."""
    html = re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text)))
    html = re.sub(r"\[([^\[\]]+)\]\((#[\w-]+)\)", r'<a href="\2">\1</a>', html)
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html))  # noqa: S704 -- escaped
