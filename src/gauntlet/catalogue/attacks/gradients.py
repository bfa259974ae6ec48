"""Attacks that follow a gradient within a budget, and random noise beside them."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import MANY, WITHIN_L2, Attack
from gauntlet.catalogue.parameters import (
    AUTO,
    Parameter,
    Value,
    Values,
    integer,
    one_of,
    or_auto,
    real,
)

STEPS = Parameter(
    "steps", integer(1, MANY), 20, "iterations of bim, pgd, pgd_l2, mim and multi_targeted"
)
REL_STEP = Parameter(
    "rel_step",
    or_auto(real(above=0, at_most=1)),
    AUTO,
    "step size of the attacks that read steps, as a share of epsilon; auto: 2.5 / steps",
    # The steps cross the ball two and a half times (Madry et al. 2018, appendix).
    auto=lambda values: min(1.0, 2.5 / values["steps"]),
)
TARGET = Parameter(
    "target",
    integer(0),
    5,
    "class that t_fgsm aims at (first paper, 5.2.2)",
    names_class=True,
)
RESTARTS = Parameter(
    "restarts",
    integer(1, 10_000),
    5,
    "random starts of pgd and pgd_l2; of multi_targeted per target",
)
TARGET_CLASSES = Parameter(
    "target_classes",
    or_auto(integer(1, MANY)),
    AUTO,
    "wrong classes that apgd_t, multi_targeted and fab_t aim at, the likeliest first; auto: 9, or "
    "all where there are fewer",
    auto=lambda _: 9,
    counts_classes=True,
)
PGD_LOSS = Parameter(
    "pgd_loss",
    one_of(("cross_entropy", "margin", "dlr")),
    "cross_entropy",
    "what pgd and pgd_l2 ascend; margin and dlr do not saturate (dlr of two classes is the margin)",
)
DECAY = Parameter("decay", real(at_least=0, at_most=10), 1.0, "momentum decay of mim")


def _reaches_the_edge(values: Values) -> None:
    steps, size = values[STEPS.name], values[REL_STEP.name]
    if steps * size < 1:
        raise ValueError(
            f"steps={steps} of rel_step={size:g} never reach epsilon: expected steps * rel_step of "
            "at least 1"
        )


_ITERATIVE = {"steps": STEPS, "rel_step": REL_STEP}
_PGD: dict[str, Value] = {
    "source": "Madry et al. 2018",
    "code": "gauntlet.attacks.iterative:PGD",
    "rule": _reaches_the_edge,
    "parameters": {**_ITERATIVE, "restarts": RESTARTS, "loss": PGD_LOSS},
    "skips_misclassified": True,
    "random": True,
}

GRADIENT_ATTACKS = (
    Attack(
        name="fgsm",
        sentence="one step of size epsilon along the sign of the loss gradient",
        source="Goodfellow et al. 2015",
        code="gauntlet.attacks.single_step:FGSM",
    ),
    Attack(
        name="t_fgsm",
        sentence="one step of size epsilon towards a target class",
        source="Kurakin et al. 2017; first paper, section 5.2.2",
        code="gauntlet.attacks.single_step:TargetedFGSM",
        parameters={"target": TARGET},
    ),
    Attack(
        name="bim",
        sentence="FGSM in small steps, projected to the budget after each",
        source="Kurakin et al. 2016",
        code="gauntlet.attacks.iterative:BIM",
        rule=_reaches_the_edge,
        parameters=_ITERATIVE,
    ),
    Attack(name="pgd", sentence="BIM from random starts", fixed={"norm": "linf"}, **_PGD),
    Attack(
        name="pgd_l2",
        sentence="steps along the normalised gradient from random starts, within an L2 budget",
        fixed={"norm": "l2"},
        **_PGD,
        **WITHIN_L2,
    ),
    Attack(
        name="mim",
        sentence="BIM along the accumulated gradient",
        source="Dong et al. 2018",
        code="gauntlet.attacks.iterative:MIM",
        rule=_reaches_the_edge,
        parameters={**_ITERATIVE, "decay": DECAY},
    ),
    Attack(
        name="noise",
        sentence="uniform random noise: what no attack at all achieves",
        code="gauntlet.attacks.single_step:RandomNoise",
        needs="nothing",
        random=True,
    ),
    Attack(
        name="multi_targeted",
        sentence="PGD on the logit difference to one wrong class after the other",
        source="Gowal et al. 2019",
        code="gauntlet.attacks.targeted:MultiTargeted",
        rule=_reaches_the_edge,
        parameters={"targets": TARGET_CLASSES, **_ITERATIVE, "restarts": RESTARTS},
        skips_misclassified=True,
        random=True,
    ),
)
