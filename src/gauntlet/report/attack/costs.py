"""What attacks take, beside what they leave: which of them gets how low for how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gauntlet.catalogue.units import BudgetNorm
from gauntlet.cells.result import CellResult
from gauntlet.report.attack.rows import Row
from gauntlet.report.document.model import Number

COST_HEADER = (
    "defence",
    "threat model",
    "attack",
    "robust accuracy",
    "gradients per image",
    "queries per image",
    "seconds",
)

Points = dict[str, dict[str, tuple[float, float]]]
"""Defence -> attack -> (gradients and queries per image, robust accuracy)."""


def cost_table(rows: Sequence[Row]) -> list[list[str]]:
    """Return costs as text, the lowest robust accuracy of a row first (columns: `COST_HEADER`).

    Accuracy and calls are those of the reference budget; cells that do not know their cost are
    left out.
    """
    return [line for row in rows for line in _lines(row)]


def points(rows: Sequence[Row], norm: BudgetNorm) -> Points:
    """Return what attacks with budgets of one norm take and leave, under `white_box`."""
    known = {
        row.defence: _points(row)
        for row in rows
        if row.threat_model == "white_box" and row.norm == norm
    }
    return {defence: attacks for defence, attacks in known.items() if attacks}


def _points(row: Row) -> dict[str, tuple[float, float]]:
    calls = {cell.attack: sum(_calls(row, cell)) for cell in row.cells}
    return {
        cell.attack: (calls[cell.attack], row.left_by(cell).value)
        for cell in row.cells
        if calls[cell.attack] > 0
    }


def _lines(row: Row) -> Iterator[list[str]]:
    for cell in sorted(row.cells, key=lambda cell: row.left_by(cell).value):
        if cell.cost is not None:
            left, calls = row.left_by(cell), _calls(row, cell)
            yield [
                row.defence,
                f"{row.threat_model}{row.norm.within}",
                cell.attack,
                Number.of(left, f"{left.value:.4f}"),
                *(Number(f"{n:,.1f}", {"value": n}) for n in calls),
                Number(f"{cell.cost.seconds:.1f}", {"value": cell.cost.seconds}),
            ]


def _calls(row: Row, cell: CellResult) -> tuple[float, float]:
    """Return gradients and queries per image at the reference budget of a row."""
    if cell.cost is None:
        return 0.0, 0.0
    return cell.cost.gradient_calls[row.reference], cell.cost.queries[row.reference]
