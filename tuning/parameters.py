"""The parameters of studies: what only they have, and what is another than in an attack."""

from __future__ import annotations

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.catalogue.parameters import (
    AUTO,
    TEXT,
    Parameter,
    integer,
    names,
    one_of,
    or_auto,
    real,
)
from gauntlet.catalogue.units import BudgetNorm, Budgets, budgets_in
from gauntlet.storage import STORAGE, Storage, kept_address
from tuning.spaces import SPACES

TRIALS = 60
"""Trials of a study that draws values, by default."""

STUDY = (
    Parameter(
        "study",
        one_of(SPACES),
        "autoencoder",
        "autoencoder: one kind; activations: the first paper's comparison, all of it; funn: both "
        "players; defence: kind, loss, defence; attack: the strongest on one defence",
    ),
    Parameter(
        "study_name",
        TEXT,
        AUTO,
        "same name, same study: it goes on; auto: from parameters",
    ),
    Parameter(
        "storage",
        Storage,
        AUTO,
        f"postgresql+psycopg://...; auto: {STORAGE}, else SQLite beside the runs",
        auto=lambda _: kept_address(),
        secret=True,
    ),
    Parameter(
        "trials",
        or_auto(integer(1, 100_000)),
        AUTO,
        f"finished trials in the study, however many start; auto: {TRIALS}",
    ),
    Parameter("workers", integer(1, 256), 1, "processes on this machine"),
    Parameter("sampler", one_of(("tpe", "random", "nsga2")), "tpe", "how the next trial is drawn"),
    Parameter(
        "pruner",
        one_of(("none", "median", "hyperband")),
        "none",
        "objective=loss: end trials whose val/loss falls behind",
    ),
    Parameter(
        "objective",
        one_of((AUTO, "loss", "reconstruction", "robust_accuracy")),
        AUTO,
        "autoencoder: training loss, error per pixel at the best scale (comparable between "
        "losses), or robust accuracy behind `defence`; auto: loss",
    ),
    Parameter(
        "space",
        str,
        "",
        "narrower dimensions, blanks between: study=funn, 'gamma=2..20 beta=0.01|0.02 epochs=30'",
    ),
    Parameter(
        "clean_floor",
        real(at_least=0, below=1),
        0.95,
        "funn: least clean accuracy of a feasible trial",
    ),
    Parameter(
        "attack_images",
        integer(1),
        1000,
        "first validation (at the end: test) images that are attacked",
    ),
)
"""What only studies have."""


def of_attacks() -> tuple[Parameter, ...]:
    """Return the parameters of attacks whose type or default differs in studies."""
    linf = [n for n, a in ATTACKS.items() if a.budgets.unit.norm is BudgetNorm.LINF]
    return (
        Parameter(
            "defence",
            names("defence", DEFENCES, most=1),
            ("reformer",),
            f"one of {', '.join(DEFENCES)}",
        ),
        Parameter(
            "attacks",
            names("attack", linf),
            ("apgd_ce", "apgd_dlr"),
            "robust accuracy is what all of them leave; none with L2 budgets",
        ),
        *map(_one_of, dict.fromkeys(attack.budgets for attack in ATTACKS.values())),
        Parameter(
            "threat_models",
            names("threat model", ("white_box",)),
            ("white_box",),
            "white_box: nothing else measures a defence",
        ),
    )


def _one_of(budgets: Budgets) -> Parameter:
    """Return a parameter of budgets as one that takes a single budget."""
    unit = budgets.unit
    budget = (unit.per_range * unit.reference,)
    return Parameter(budgets.name, budgets_in(unit, most=1), budget, f"the budget in {unit}")
