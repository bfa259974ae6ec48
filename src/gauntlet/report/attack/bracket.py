"""What is proven of a defence and what attacks leave of it: the true number lies between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.arrays import Flags
from gauntlet.catalogue.certificates import CERTIFICATES
from gauntlet.catalogue.threat_models import on_images
from gauntlet.catalogue.units import BudgetNorm
from gauntlet.cells.certified import Certified
from gauntlet.evaluation.statistics import Interval, wilson, worst_case
from gauntlet.report.attack.rows import Row


@dataclass(frozen=True)
class Bracket:
    """The two ends of one defence's robust accuracy within budgets of one norm.

    Attributes:
        certified: what its certificates prove; all have the same budgets.
        attacked: its rows on images within budgets of that norm, of every threat model.
    """

    certified: tuple[Certified, ...]
    attacked: tuple[Row, ...]

    @property
    def defence(self) -> str:
        """The defence."""
        return self.certified[0].defence

    @property
    def norm(self) -> BudgetNorm:
        """What the budgets bound."""
        return self.certified[0].unit.norm

    @property
    def epsilons(self) -> tuple[float, ...]:
        """The certificates' budgets of pixels in [0, 1], ascending."""
        return self.certified[0].epsilons

    @property
    def certificates(self) -> str:
        """The names of its certificates."""
        return ", ".join(one.certificate for one in self.certified)

    def budget(self, index: int) -> str:
        """Return a budget as text."""
        return self.certified[0].unit.shown(self.epsilons[index])

    def proven(self, index: int) -> Flags:
        """Return which images any certificate proves within a budget, `(n,)`."""
        return np.asarray(np.any([one.proven[index] for one in self.certified], axis=0))

    def lower(self, index: int) -> Interval:
        """Return the lower end at a budget: certified accuracy."""
        return wilson(self.proven(index))

    def upper(self, index: int) -> Interval | None:
        """Return the upper end: what white-box attacks leave; None: none had that budget."""
        white = [row for row in self.attacked if row.threat_model == "white_box"]
        standing = list(_standing(white, self.epsilons[index]))
        return wilson(worst_case(standing)) if standing else None

    def contradictions(self, index: int) -> int:
        """Return how many images are both proven and felled, by whichever attacker."""
        standing = list(_standing(self.attacked, self.epsilons[index]))
        return int((self.proven(index) & ~worst_case(standing)).sum()) if standing else 0

    @property
    def warnings(self) -> Iterator[str]:
        """Yield where a certificate and an attack contradict each other."""
        for index in range(len(self.epsilons)):
            if count := self.contradictions(index):
                yield (
                    f"{self.defence} at epsilon {self.budget(index)}: {count} images are proven "
                    f"({self.certificates}) and felled: {self._culprits}"
                )

    @property
    def _culprits(self) -> str:
        """What a contradiction may come from."""
        if any(CERTIFICATES[one.certificate].random for one in self.certified):
            return "a certificate or an attack is wrong, or too few draws judge (--judge_draws)"
        return "a certificate or an attack is wrong"


def _standing(rows: Sequence[Row], epsilon: float) -> Iterator[Flags]:
    """Yield which images stand, `(n,)`, after each attack that keeps a budget, at that budget."""
    for row in rows:
        for cell in row.cells:
            near = [i for i, known in enumerate(cell.epsilons) if abs(known - epsilon) < 1e-9]
            if cell.keeps_budget and near:
                yield cell.correct[near[0]]


def brackets(certified: Sequence[Certified], rows: Sequence[Row]) -> tuple[Bracket, ...]:
    """Return a bracket per defence and norm that a certificate speaks of."""
    groups: dict[tuple[str, BudgetNorm], list[Certified]] = {}
    for one in certified:
        groups.setdefault((one.defence, one.unit.norm), []).append(one)
    return tuple(
        Bracket(tuple(some), tuple(_comparable(rows, *key))) for key, some in groups.items()
    )


def _comparable(rows: Sequence[Row], defence: str, norm: BudgetNorm) -> Iterator[Row]:
    for row in rows:
        if (row.defence, row.norm) == (defence, norm) and row.threat_model in on_images():
            yield row
