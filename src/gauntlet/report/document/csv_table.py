"""A table as CSV: the cells as shown, then the numbers in them, unrounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from gauntlet.report.document.model import Number, Table, plain

NO_BREAK = "\N{NO-BREAK SPACE}"


def as_csv(table: Table) -> str:
    """Return the table with a header line.

    The first columns are those of the page, without markup. A column whose cells carry numbers
    adds one column per part, named `column: part` (`worst case: low`).
    """
    parts = list(_parts(table))
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([*map(_shown, table.header), *(_title(table, *part) for part in parts)])
    for row in table.rows:
        lines.writerow([*map(_shown, row), *(_number(row[column], part) for column, part in parts)])
    return text.getvalue()


def _parts(table: Table) -> Iterator[tuple[int, str]]:
    """Yield column and part of every number of the table, each once."""
    for column in range(len(table.header)):
        cells = [row[column] for row in table.rows]
        names = (name for cell in cells if isinstance(cell, Number) for name in cell.parts)
        yield from ((column, name) for name in dict.fromkeys(names))


def _title(table: Table, column: int, part: str) -> str:
    return f"{_shown(table.header[column])}: {part}".removeprefix(": ")


def _shown(cell: str) -> str:
    return plain(cell).replace(NO_BREAK, " ").replace("\n", " ")


def _number(cell: str, part: str) -> str:
    value = cell.parts.get(part) if isinstance(cell, Number) else None
    return "" if value is None else repr(value)
