"""The units in which budgets are typed and shown, and the norms that they bound.

Inside the project a Linf budget is in [0, 1], and an L2 budget adds up pixels in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gauntlet.catalogue.parameters import Annotation, Parameter, list_of, real


class BudgetNorm(StrEnum):
    """A norm of changes that a budget may bound; budgets of different norms do not compare."""

    LINF = "linf"
    L2 = "l2"

    @property
    def suffix(self) -> str:
        """What ends the names of metrics and files that are of another norm than Linf."""
        return "" if self is BudgetNorm.LINF else f"_{self}"

    @property
    def within(self) -> str:
        """What a sentence adds behind a budget that is of another norm than Linf."""
        return "" if self is BudgetNorm.LINF else f" in {self.upper()}"

    @property
    def axis(self) -> str:
        """What stands at an axis of budgets of pixels in [0, 1]."""
        return f"epsilon ({self.capitalize()}, pixels in [0, 1])"


@dataclass(frozen=True)
class Unit:
    """A unit of budgets.

    Attributes:
        per_range: units per pixel range.
        reference: the budget that tables and pictures show; pixels in [0, 1].
        ending: what stands behind a budget of this unit in a table.
        plural: what an error calls several of them.
        axis: what stands at an axis of budgets in this unit.
        norm: what its budgets bound.
        whole: the largest budget; every change counts as within it. Pixels in [0, 1].
    """

    per_range: float
    reference: float
    ending: str = ""
    plural: str = "values"
    axis: str = BudgetNorm.LINF.axis
    norm: BudgetNorm = BudgetNorm.LINF
    whole: float = 1.0

    def __str__(self) -> str:
        return f"[0, {self.per_range * self.whole:g}]"

    def shown(self, epsilon: float) -> str:
        """Write a budget of pixels in [0, 1] in this unit."""
        return f"{self.per_range * epsilon:g}{self.ending}{self.norm.within}"

    def index_of_reference(self, epsilons: Sequence[float]) -> int:
        """Return the index of the reference among budgets, else of the largest."""
        near = [i for i, e in enumerate(epsilons) if abs(e - self.reference) < 1e-9]
        return near[0] if near else len(epsilons) - 1

    def check(self, budgets: tuple[float, ...]) -> tuple[float, ...]:
        """Return budgets in this unit if none is larger than the whole, strictly ascending."""
        if not all(0 <= value <= self.per_range * self.whole for value in budgets):
            raise ValueError(f"expected {self.plural} in {self}")
        steps = [metric_step(value / self.per_range) for value in budgets]
        if steps != sorted(set(steps)):
            raise ValueError("expected ascending values that differ by a thousandth of the range")
        return budgets


PIXEL_RANGE = Unit(1.0, 0.1)
GREY_LEVELS = Unit(255.0, 16 / 255, "/255", "grey levels", "epsilon (grey levels of 255)")
"""The first paper's attack on logistic regression speaks grey levels 0 to 255."""

L2_NORM = Unit(1.0, 1.5, axis=BudgetNorm.L2.axis, norm=BudgetNorm.L2, whole=1000.0)
"""L2 norms of whole changes; no change of a million pixels is longer than 1000."""

WHOLE_RANGE = PIXEL_RANGE.whole
"""An epsilon of 1 spans the pixel range, so it accepts every change a minimum-norm attack found."""


def metric_step(epsilon: float) -> int:
    """Return the step under which a budget's metrics are logged; MLflow's steps are integers."""
    return round(1000 * epsilon)


@dataclass(frozen=True, eq=False)
class Budgets(Parameter):
    """A parameter that lists budgets in one unit."""

    unit: Unit = PIXEL_RANGE

    def epsilons(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return budgets of pixels in [0, 1]."""
        return tuple(value / self.unit.per_range for value in values)


def budgets_in(unit: Unit, most: int | None = None) -> Annotation:
    """Return the type of lists of budgets in a unit."""
    return list_of(real(), unit.check, most=most)
