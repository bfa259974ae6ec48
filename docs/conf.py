"""Sphinx's settings for the manual: Markdown (MyST), the theme furo, strict about links.

The pages are written for GitHub and for Sphinx alike: plain Markdown, links between files.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "Gauntlet"
html_title = "Gauntlet"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_show_sourcelink = False
html_copy_source = False
exclude_patterns = ["static", "extending/examples"]
extensions = ["myst_parser"]
myst_heading_anchors = 4

DOCS = Path(__file__).resolve().parent
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((\.\./[^)#\s]+)(#[^)\s]*)?\)")


def link_outside(app: Sphinx, page: str, source: list[str]) -> None:
    """Let links to files outside of `docs/` lead from the built page to the file in the repository.

    Sphinx would copy such a file, or miss it. A report in Markdown has a twin in HTML: that is
    taken. A file that is not there is left to Sphinx, which then complains.
    """
    here = (DOCS / page).parent
    built = (Path(app.outdir) / page).parent

    def replaced(link: re.Match[str]) -> str:
        words, path, anchor = link.groups(default="")
        target = (here / path).resolve()
        if target.is_relative_to(DOCS) or not target.exists():
            return link.group()
        twin = target.with_suffix(".html")
        shown = twin if twin.is_file() else target
        return f'<a href="{os.path.relpath(shown, built)}{anchor}">{words}</a>'

    source[0] = LINK.sub(replaced, source[0])


def setup(app: Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.connect("source-read", link_outside)
