"""AutoAttack: the published standard, with nothing to choose but the budgets."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import DLR, TARGETED_DLR, WITHIN_L2, Attack
from gauntlet.catalogue.parameters import Value

_PUBLISHED: dict[str, Value] = {
    "source": "Croce and Hein 2020, section 5, with APGD-T and FAB-T as their code has them",
    "skips_misclassified": True,
    "random": True,
}
_STANDARD: dict[str, Value] = {
    "code": "gauntlet.attacks.auto_attack:AutoAttack",
    "ratio": TARGETED_DLR,
    **_PUBLISHED,
}
_STEPS = {"steps": 100, "targets": 9, "queries": 5000}

AUTO_ATTACKS = (
    Attack(
        name="autoattack",
        sentence="AutoAttack: apgd_ce, apgd_t, fab_t and square as published, each on the images "
        "that are left",
        fixed={"norm": "linf", **_STEPS},
        **_STANDARD,
    ),
    Attack(
        name="autoattack_l2",
        sentence="autoattack within an L2 budget",
        fixed={"norm": "l2", **_STEPS},
        **_STANDARD,
        **WITHIN_L2,
    ),
    Attack(
        name="autoattack_rand",
        sentence="AutoAttack for random defences: apgd_ce and apgd_dlr on averages over "
        "eot_samples draws",
        code="gauntlet.attacks.auto_attack:RandomisedAutoAttack",
        fixed={"norm": "linf", "steps": 100},
        ratio=DLR,
        **_PUBLISHED,
    ),
)
