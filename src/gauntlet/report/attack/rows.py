"""One defence under one threat model, and the least number of each defence: the headline.

Budgets of different norms do not compare: each norm has rows, worst cases and headlines of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from gauntlet.catalogue.threat_models import on_images
from gauntlet.catalogue.units import BudgetNorm
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.quantities import CLEAN_ACCURACY
from gauntlet.evaluation.statistics import Interval, wilson, worst_case


@dataclass(frozen=True)
class Row:
    """One defence under one threat model within budgets of one norm: its cells by attack."""

    defence: str
    threat_model: str
    cells: tuple[CellResult, ...]

    @property
    def norm(self) -> BudgetNorm:
        """What its budgets bound."""
        return self.cells[0].unit.norm

    @cached_property
    def clean(self) -> Interval:
        """Accuracy without attack; a rejected image is an error."""
        return CLEAN_ACCURACY.measure(self.cells[0].at(-1))

    @cached_property
    def judged(self) -> tuple[CellResult, ...]:
        """Cells in the worst case: those that keep their budget, or all if none does."""
        return tuple(c for c in self.cells if c.keeps_budget) or self.cells

    @property
    def epsilons(self) -> tuple[float, ...]:
        """Budgets of the worst case: those that all attacks share.

        Minimum-norm attacks have one more at the end, so an index means the same for all attacks.
        """
        return min((cell.epsilons for cell in self.judged), key=len)

    @property
    def reference(self) -> int:
        """Index of the reference budget, which tables show."""
        return self.judged[0].unit.index_of_reference(self.epsilons)

    def worst(self, index: int) -> Interval:
        """Return robust accuracy at one budget; an image is lost if any attack succeeds."""
        return wilson(worst_case([cell.correct[index] for cell in self.judged]))

    @property
    def accuracies(self) -> list[float]:
        """The worst case at each budget."""
        return [self.worst(index).value for index in range(len(self.epsilons))]

    @property
    def worst_at_reference(self) -> Interval:
        """Worst case at the reference budget, which tables show."""
        return self.worst(self.reference)

    def left_by(self, cell: CellResult) -> Interval:
        """Return robust accuracy under one attack at the reference budget of this row."""
        return wilson(cell.correct[self.reference])

    def strongest_at(self, index: int) -> CellResult:
        """Return the attack with the least robust accuracy at one budget."""
        return min(self.judged, key=lambda cell: wilson(cell.correct[index]))

    @property
    def strongest(self) -> CellResult:
        """The attack with the least robust accuracy at the reference budget."""
        return self.strongest_at(self.reference)

    def cell(self, attack: str) -> CellResult | None:
        """Return the cell of an attack; None: this threat model does not allow it."""
        return next((cell for cell in self.cells if cell.attack == attack), None)


class Headline(NamedTuple):
    """The least robust accuracy that was found for a defence.

    Attributes:
        row: the threat model under which it was found.
        at: index of the budget, the same for all defences of a run within a norm.
    """

    row: Row
    at: int

    @property
    def accuracy(self) -> Interval:
        """Robust accuracy in the worst case over attacks."""
        return self.row.worst(self.at)

    @property
    def metrics(self) -> Iterator[tuple[str, float]]:
        """Names and values of the headline's metrics."""
        name = f"headline/robust_accuracy{self.row.norm.suffix}"
        for end, value in zip(("", "_low", "_high"), self.accuracy, strict=True):
            yield f"{name}{end}/{self.row.defence}", value

    def __str__(self) -> str:
        row, cell = self.row, self.row.strongest_at(self.at)
        unbounded = "" if cell.keeps_budget else ", unbounded as published"
        behind = "" if row.threat_model in on_images() else "; no attack on the image was run"
        return (
            f"{row.defence}: robust accuracy {self.accuracy} under {row.threat_model} at "
            f"epsilon {cell.budget_at(self.at)} (clean {row.clean.value:.4f}, strongest attack "
            f"{cell.attack}{unbounded}{behind})"
        )


def least(rows: Sequence[Row]) -> list[Headline]:
    """Return the headlines of each norm of budgets, one per defence (`_least`)."""
    norms = dict.fromkeys(row.norm for row in rows)
    return [h for norm in norms for h in _least([row for row in rows if row.norm == norm])]


def _least(rows: Sequence[Row]) -> list[Headline]:
    """Return the headline of each defence: its least worst case over threat models.

    Only threat models that perturb the image count, if a defence has any. All headlines are at one
    budget, the reference budget among those that all of these rows share.
    """
    by_defence = [
        _on_images([row for row in rows if row.defence == defence])
        for defence in dict.fromkeys(row.defence for row in rows)
    ]
    candidates = [row for each in by_defence for row in each]
    fewest = min(candidates, key=lambda row: len(row.epsilons), default=None)
    at = 0 if fewest is None else fewest.judged[0].unit.index_of_reference(fewest.epsilons)
    return [Headline(min(each, key=lambda row: row.worst(at)), at) for each in by_defence]


def _on_images(rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if row.threat_model in on_images()] or rows
