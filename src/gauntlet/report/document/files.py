"""A document as files: the page as HTML and Markdown, each table as CSV and LaTeX, the pictures."""

from __future__ import annotations

from pathlib import Path

from gauntlet.report.document.csv_table import as_csv
from gauntlet.report.document.latex import as_latex
from gauntlet.report.document.model import Document
from gauntlet.report.document.pages import as_html, as_markdown


def texts(document: Document, name: str) -> dict[str, str]:
    """Return every file but the pictures: its path, relative to the report's folder -> content.

    Args:
        document: the report.
        name: of the pages, without suffix.

    Raises:
        ValueError: two tables have the same name.
    """
    found = {f"{name}.html": as_html(document), f"{name}.md": as_markdown(document)}
    for table in document.tables:
        path = f"tables/{table.name}"
        if f"{path}.csv" in found:
            raise ValueError(f"expected one table of each name; received two named {table.name}")
        found |= {f"{path}.csv": as_csv(table), f"{path}.tex": as_latex(table)}
    return found


def write(document: Document, folder: Path, name: str) -> list[Path]:
    """Write `name`.html, `name`.md, `tables/` and `figures/` into a folder; return the files."""
    files = {folder / path: text.encode() for path, text in texts(document, name).items()}
    files |= {folder / "figures" / f"{one.name}.png": one.png for one in document.figures}
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return list(files)
