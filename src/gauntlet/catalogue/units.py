"""The units in which budgets are typed and shown; inside the project every budget is in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gauntlet.catalogue.parameters import Annotation, Parameter, list_of, real


@dataclass(frozen=True)
class Unit:
    """A unit of Linf budgets.

    Attributes:
        per_range: units per pixel range: a budget of that many spans black to white.
        reference: the budget that tables and pictures show, in [0, 1].
        ending: what stands behind a budget of this unit in a table.
        plural: what an error calls several of them.
        axis: what stands at an axis of its budgets.
    """

    per_range: float
    reference: float
    ending: str = ""
    plural: str = "values"
    axis: str = "epsilon (Linf, pixels in [0, 1])"

    def __str__(self) -> str:
        return f"[0, {self.per_range:g}]"

    def shown(self, epsilon: float) -> str:
        """Write a budget in [0, 1] in this unit."""
        return f"{self.per_range * epsilon:g}{self.ending}"

    def index_of_reference(self, epsilons: Sequence[float]) -> int:
        """Return the index of the reference among budgets in [0, 1], else of the largest."""
        near = [i for i, e in enumerate(epsilons) if abs(e - self.reference) < 1e-9]
        return near[0] if near else len(epsilons) - 1

    def check(self, budgets: tuple[float, ...]) -> tuple[float, ...]:
        """Return budgets in this unit if they lie in the pixel range, strictly ascending."""
        if not all(0 <= value <= self.per_range for value in budgets):
            raise ValueError(f"expected {self.plural} in {self}")
        steps = [metric_step(value / self.per_range) for value in budgets]
        if steps != sorted(set(steps)):
            raise ValueError("expected ascending values that differ by a thousandth of the range")
        return budgets


PIXEL_RANGE = Unit(1.0, 0.1)
GREY_LEVELS = Unit(255.0, 16 / 255, "/255", "grey levels", "epsilon (grey levels of 255)")
"""The first paper's attack on logistic regression speaks grey levels 0 to 255."""

WHOLE_RANGE = 1.0
"""An epsilon of 1 spans the pixel range, so it accepts every change a minimum-norm attack found."""


def metric_step(epsilon: float) -> int:
    """Return the step under which a budget's metrics are logged; MLflow's steps are integers."""
    return round(1000 * epsilon)


@dataclass(frozen=True, eq=False)
class Budgets(Parameter):
    """A parameter that lists budgets in one unit."""

    unit: Unit = PIXEL_RANGE

    def epsilons(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return budgets in [0, 1]."""
        return tuple(value / self.unit.per_range for value in values)


def budgets_in(unit: Unit, most: int | None = None) -> Annotation:
    """Return the type of lists of budgets in a unit."""
    return list_of(real(), unit.check, most=most)
