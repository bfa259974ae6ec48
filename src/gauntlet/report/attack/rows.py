"""One defence under one threat model, and the least number of each defence: the headline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from gauntlet.config.tables import ON_IMAGES
from gauntlet.evaluation.statistics import Interval, wilson, worst_case
from gauntlet.report.cell_result import CellResult, reference_index


@dataclass(frozen=True)
class Row:
    """One defence under one threat model: its cells in the order of the attacks."""

    defence: str
    threat_model: str
    cells: tuple[CellResult, ...]

    @cached_property
    def clean(self) -> Interval:
        """Accuracy without attack; a rejected image is an error."""
        return wilson(self.cells[0].clean == self.cells[0].labels)

    @cached_property
    def judged(self) -> tuple[CellResult, ...]:
        """Cells that the worst case is over: one kind of budget, bounded attacks if there are."""
        return tuple(c for c in self.cells if c.bounded) or self.cells

    @property
    def epsilons(self) -> tuple[float, ...]:
        """Budgets of the worst case: those that all attacks have.

        Minimum-norm attacks have one more at the end, so an index means the same for all.
        """
        return min((cell.epsilons for cell in self.judged), key=len)

    @property
    def _reference(self) -> int:
        return reference_index(self.epsilons, self.judged[0].bounded)

    def worst(self, index: int) -> Interval:
        """Return robust accuracy at one budget against all attacks: an example falls with any."""
        return wilson(worst_case([cell.correct[index] for cell in self.judged]))

    @property
    def worst_at_reference(self) -> Interval:
        """Worst case at the budget that tables show."""
        return self.worst(self._reference)

    def left_by(self, cell: CellResult) -> Interval:
        """Return what one attack leaves at the budget that tables show of this row."""
        return wilson(cell.correct[self._reference])

    def strongest_at(self, index: int) -> CellResult:
        """Return the single attack that leaves the least at one budget."""
        return min(self.judged, key=lambda cell: wilson(cell.correct[index]))

    @property
    def strongest(self) -> CellResult:
        """The single attack that leaves the least at the reference budget."""
        return self.strongest_at(self._reference)

    def cell(self, attack: str) -> CellResult | None:
        """Return the cell of an attack, if this threat model allows it."""
        return next((cell for cell in self.cells if cell.attack == attack), None)


class Headline(NamedTuple):
    """The least that was found of a defence's robust accuracy.

    Attributes:
        row: the threat model under which it was found.
        at: index of the budget, the same for all defences of a run.
    """

    row: Row
    at: int

    @property
    def accuracy(self) -> Interval:
        """Robust accuracy in the worst case over attacks."""
        return self.row.worst(self.at)

    @property
    def metrics(self) -> Iterator[tuple[str, float]]:
        """Names and values, as the sentence says them."""
        for end, value in zip(("", "_low", "_high"), self.accuracy, strict=True):
            yield f"headline/robust_accuracy{end}/{self.row.defence}", value

    def __str__(self) -> str:
        row, cell = self.row, self.row.strongest_at(self.at)
        unbounded = "" if cell.bounded else ", unbounded as published"
        behind = "" if row.threat_model in ON_IMAGES else "; no attack on the image was run"
        return (
            f"{row.defence}: robust accuracy {self.accuracy} under {row.threat_model} at "
            f"epsilon {cell.budget_at(self.at)} (clean {row.clean.value:.4f}, strongest attack "
            f"{cell.attack}{unbounded}{behind})"
        )


def least(rows: Sequence[Row]) -> list[Headline]:
    """Return the least of each defence, among threat models that perturb the image, if any does.

    All are at one budget, the reference of those that all of these rows have, and each is the
    worst case over the attacks of one threat model.
    """
    by_defence = [
        _on_images([row for row in rows if row.defence == defence])
        for defence in dict.fromkeys(row.defence for row in rows)
    ]
    candidates = [row for each in by_defence for row in each]
    fewest = min(candidates, key=lambda row: len(row.epsilons), default=None)
    at = 0 if fewest is None else reference_index(fewest.epsilons, fewest.judged[0].bounded)
    return [Headline(min(each, key=lambda row: row.worst(at)), at) for each in by_defence]


def _on_images(rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if row.threat_model in ON_IMAGES] or rows
