"""The first paper's attacks on logistic regression."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import GREY_EPSILONS, Attack
from gauntlet.catalogue.parameters import Parameter, Value, integer, one_of, real

LR_VARIANT = Parameter(
    "lr_variant",
    one_of(("gradient", "sign")),
    "gradient",
    "lr_ attacks: gradient over its maximum, or its sign",
)
LR_TARGET = Parameter(
    "lr_target", integer(0), 7, "class that lr_one_target aims at", names_class=True
)
LR_TARGETS_AT = Parameter(
    "lr_targets_at",
    real(above=0, at_most=255),
    16.0,
    "grey level at which natural targets are found",
)
LR_CLIP = Parameter("lr_clip", bool, False, "clip the lr_ attacks to the box; published: no")

_LOGISTIC_REGRESSION: dict[str, Value] = {
    "source": "first paper, section 5.2.1",
    "code": "gauntlet.attacks.logistic_regression:LogisticRegressionAttack",
    "budgets": GREY_EPSILONS,
    "keeps_budget": False,
}
_LR = {"variant": LR_VARIANT, "clip": LR_CLIP}

LINEAR_ATTACKS = (
    Attack(
        name="lr_non_targeted",
        sentence="one step that lowers the true class of a linear model",
        parameters=_LR,
        fixed={"rule": "non_targeted"},
        **_LOGISTIC_REGRESSION,
    ),
    Attack(
        name="lr_natural",
        sentence="one step towards the class that each digit is most easily mistaken for",
        parameters={**_LR, "targets_at": LR_TARGETS_AT},
        fixed={"rule": "natural"},
        **_LOGISTIC_REGRESSION,
    ),
    Attack(
        name="lr_non_natural",
        sentence="one step towards the class that each digit is least easily mistaken for",
        parameters={**_LR, "targets_at": LR_TARGETS_AT},
        fixed={"rule": "non_natural"},
        **_LOGISTIC_REGRESSION,
    ),
    Attack(
        name="lr_one_target",
        sentence="one step of every image towards one class",
        parameters={**_LR, "target": LR_TARGET},
        fixed={"rule": "one_target"},
        **_LOGISTIC_REGRESSION,
    ),
)
