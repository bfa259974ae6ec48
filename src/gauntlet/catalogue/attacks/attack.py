"""What an attack says of itself, and its budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from gauntlet.catalogue.components import Chosen, Component
from gauntlet.catalogue.parameters import Parameter, Values
from gauntlet.catalogue.units import (
    GREY_LEVELS,
    L2_NORM,
    PIXEL_RANGE,
    BudgetNorm,
    Budgets,
    budgets_in,
)

Need = Literal["gradients", "scores", "decisions", "nothing"]
"""What an attack asks of a model: gradients, logits, the predicted class alone, or nothing."""

EPSILONS = Budgets(
    "epsilons",
    budgets_in(PIXEL_RANGE),
    (0.0, 0.05, 0.1, 0.15, 0.2, 0.3),
    "Linf budgets in [0, 1], ascending",
)
L2_EPSILONS = Budgets(
    "l2_epsilons",
    budgets_in(L2_NORM),
    (0.0, 0.5, 1.0, 1.5, 2.0, 3.0),
    "L2 budgets of the attacks that keep one, ascending: norms of changes of pixels in [0, 1]",
    unit=L2_NORM,
)
GREY_EPSILONS = Budgets(
    "grey_epsilons",
    budgets_in(GREY_LEVELS),
    (0.0, 8.0, 16.0, 29.0, 50.0),
    "budgets of the lr_ attacks in grey levels 0..255, ascending",
    unit=GREY_LEVELS,
)

WITHIN_L2: Values = {"norm": "l2", "budgets": L2_EPSILONS}
"""What every attack that keeps an L2 budget says of itself."""

DLR_CLASSES, TARGETED_DLR_CLASSES = 3, 4
"""Classes that the difference of logits ratio needs, and its targeted form."""


class Ratio(NamedTuple):
    """A difference of logits ratio (Croce and Hein 2020).

    Attributes:
        name: what a note calls it.
        classes: how many it needs.
        otherwise: what is followed where there are fewer.
    """

    name: str
    classes: int
    otherwise: str


DLR = Ratio("difference of logits ratio", DLR_CLASSES, "margin")
TARGETED_DLR = Ratio(
    "targeted difference of logits ratio", TARGETED_DLR_CLASSES, "difference of logits"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Attack(Component):
    """An attack; its code is a subclass of `gauntlet.attacks.base.Attack`.

    Attributes:
        needs: what it asks of a model.
        norm: what it bounds, or makes small.
        budgets: the parameter that lists its budgets; their unit says which norm they bound.
        finds_minimum: it looks for the nearest adversarial image; one search serves every budget.
        keeps_budget: False for a published attack that leaves its budget or the box; it stays out
            of worst cases.
        skips_misclassified: images that are misclassified already stay as they are.
        random: its images depend on a seed.
        ratio: the ratio that it follows, whatever its parameters.
    """

    needs: Need = "gradients"
    norm: Literal["linf", "l2", "l1", "l0"] = "linf"
    budgets: Budgets = EPSILONS
    finds_minimum: bool = False
    keeps_budget: bool = True
    skips_misclassified: bool = False
    random: bool = False
    ratio: Ratio | None = None

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """Every parameter that it reads, its budgets first."""
        return (self.budgets, *self.parameters.values())

    @property
    def minimum_norm(self) -> BudgetNorm | None:
        """The norm of budgets in which it finds the nearest adversarial image; None: in none."""
        known = self.finds_minimum and self.norm in [*BudgetNorm]
        return BudgetNorm(self.norm) if known else None


def epsilons_of(attack: Chosen[Attack]) -> tuple[float, ...]:
    """Return an attack's budgets, of pixels in [0, 1], ascending.

    A minimum-norm attack is also shown at the largest budget, where everything counts.
    """
    entry = attack.entry
    epsilons = entry.budgets.epsilons(attack.values[entry.budgets.name])
    whole = entry.budgets.unit.whole
    if entry.finds_minimum and epsilons[-1] != whole:
        return (*epsilons, whole)
    return epsilons


def target_of(attack: Chosen[Attack]) -> int | None:
    """Return the class that an attack aims every image at; None: it aims at no single one."""
    named = [p.name for p in attack.entry.parameters.values() if p.names_class]
    return attack.values[named[0]] if named else None


def ratio_of(attack: Chosen[Attack]) -> Ratio | None:
    """Return the difference of logits ratio that an attack follows; None: it follows none."""
    return DLR if attack.arguments.get("loss") == "dlr" else attack.entry.ratio


MANY = 100_000
"""The most steps, samples or rounds that may be asked for."""
