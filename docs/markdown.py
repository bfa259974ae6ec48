"""Tables in Markdown, for the generated pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a table, and an empty one."""
    head = list(titles)
    yield row(head)
    yield row(["---"] * len(head))
    yield from map(row, rows)
    yield ""


def row(cells: Iterable[str]) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |"


def escaped(words: str) -> str:
    """Return words that mean nothing to Markdown inside a table."""
    return words.replace("|", "\\|").replace("<", "&lt;")


def code(words: str) -> str:
    """Return words as code."""
    return f"`{words}`"
