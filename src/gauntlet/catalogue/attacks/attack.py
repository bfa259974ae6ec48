"""What an attack says of itself, and its budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gauntlet.catalogue.components import Chosen, Component
from gauntlet.catalogue.parameters import Parameter
from gauntlet.catalogue.units import (
    GREY_LEVELS,
    PIXEL_RANGE,
    WHOLE_RANGE,
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
GREY_EPSILONS = Budgets(
    "grey_epsilons",
    budgets_in(GREY_LEVELS),
    (0.0, 8.0, 16.0, 29.0, 50.0),
    "budgets of the lr_ attacks in grey levels 0..255, ascending",
    unit=GREY_LEVELS,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Attack(Component):
    """An attack; its code is a subclass of `gauntlet.attacks.base.Attack`.

    Attributes:
        needs: what it asks of a model.
        norm: what it bounds, or makes small.
        budgets: the parameter that lists its budgets.
        finds_minimum: it looks for the nearest adversarial image; one search serves every budget.
        keeps_budget: False for a published attack that leaves its budget or the box; it stays out
            of worst cases.
        skips_misclassified: images that are misclassified already stay as they are.
        random: its images depend on a seed.
    """

    needs: Need = "gradients"
    norm: Literal["linf", "l2", "l1", "l0"] = "linf"
    budgets: Budgets = EPSILONS
    finds_minimum: bool = False
    keeps_budget: bool = True
    skips_misclassified: bool = False
    random: bool = False

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """Every parameter that it reads, its budgets first."""
        return (self.budgets, *self.parameters.values())


def epsilons_of(attack: Chosen[Attack]) -> tuple[float, ...]:
    """Return an attack's Linf budgets in [0, 1], ascending.

    A minimum-norm attack is also shown at the whole pixel range, where everything counts.
    """
    entry = attack.entry
    epsilons = entry.budgets.epsilons(attack.values[entry.budgets.name])
    if entry.finds_minimum and epsilons[-1] != WHOLE_RANGE:
        return (*epsilons, WHOLE_RANGE)
    return epsilons


def target_of(attack: Chosen[Attack]) -> int | None:
    """Return the class that an attack aims every image at; None: it aims at no single one."""
    named = [p.name for p in attack.entry.parameters.values() if p.names_class]
    return attack.values[named[0]] if named else None


def follows_dlr(attack: Chosen[Attack]) -> bool:
    """Tell whether an attack ascends the difference of logits ratio (Croce and Hein 2020)."""
    return attack.arguments.get("loss") == "dlr"


MANY = 100_000
"""The most steps, samples or rounds that may be asked for."""

DLR_CLASSES = 3
"""Classes that the difference of logits ratio needs; of fewer it is the margin."""
