"""PGD that chooses its own step sizes: on the cross entropy and on two ratios of logits."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import MANY, TARGETED_DLR, WITHIN_L2, Attack
from gauntlet.catalogue.attacks.gradients import TARGET_CLASSES
from gauntlet.catalogue.parameters import Parameter, Value, integer

APGD_STEPS = Parameter("apgd_steps", integer(2, MANY), 100, "iterations of the apgd_ attacks")
APGD_RESTARTS = Parameter(
    "apgd_restarts",
    integer(1, 10_000),
    1,
    "random starts of the apgd_ attacks; of apgd_t per target",
)

_AUTO_PGD: dict[str, Value] = {
    "source": "Croce and Hein 2020, algorithm 1",
    "code": "gauntlet.attacks.auto_pgd:AutoPGD",
    "parameters": {"steps": APGD_STEPS, "restarts": APGD_RESTARTS},
    "skips_misclassified": True,
    "random": True,
}
_TOWARDS: dict[str, Value] = {
    "source": "Croce and Hein 2020, algorithm 1, targeted DLR",
    "code": "gauntlet.attacks.targeted:TargetedAutoPGD",
    "skips_misclassified": True,
    "random": True,
    "ratio": TARGETED_DLR,
}
_TARGETED: dict[str, Value] = {
    "parameters": {"targets": TARGET_CLASSES, "steps": APGD_STEPS, "restarts": APGD_RESTARTS},
    **_TOWARDS,
}

AUTO_PGD_ATTACKS = (
    Attack(
        name="apgd_ce",
        sentence="PGD that chooses its own step sizes, on the cross entropy",
        fixed={"loss": "cross_entropy", "norm": "linf"},
        **_AUTO_PGD,
    ),
    Attack(
        name="apgd_dlr",
        sentence="PGD that chooses its own step sizes, on the difference of logits ratio",
        fixed={"loss": "dlr", "norm": "linf"},
        **_AUTO_PGD,
    ),
    Attack(
        name="apgd_t",
        sentence="PGD that chooses its own step sizes, towards one wrong class after the other",
        fixed={"norm": "linf"},
        **_TARGETED,
    ),
    Attack(
        name="apgd_t_quick",
        sentence="apgd_t of 50 steps towards the four likeliest wrong classes: nearly as strong, a "
        "quarter of the gradients",
        fixed={"norm": "linf", "targets": 4, "steps": 50, "restarts": 1},
        **_TOWARDS,
    ),
    Attack(
        name="apgd_ce_l2",
        sentence="apgd_ce within an L2 budget",
        fixed={"loss": "cross_entropy", "norm": "l2"},
        **_AUTO_PGD,
        **WITHIN_L2,
    ),
    Attack(
        name="apgd_dlr_l2",
        sentence="apgd_dlr within an L2 budget",
        fixed={"loss": "dlr", "norm": "l2"},
        **_AUTO_PGD,
        **WITHIN_L2,
    ),
    Attack(
        name="apgd_t_l2",
        sentence="apgd_t within an L2 budget",
        fixed={"norm": "l2"},
        **_TARGETED,
        **WITHIN_L2,
    ),
)
