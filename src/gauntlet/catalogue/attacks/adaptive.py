"""Attacks that swing about the decision boundary, nearer and nearer to the image."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import MANY, Attack
from gauntlet.catalogue.attacks.gradients import TARGET_CLASSES
from gauntlet.catalogue.parameters import Parameter, Value, integer, real

FMN_STEPS = Parameter("fmn_steps", integer(1, MANY), 100, "iterations of fmn_")
FMN_STEP = Parameter(
    "fmn_step",
    real(above=0, at_most=1000),
    1.0,
    "L2 norm of fmn_'s first step (alpha); the last is a hundredth of it",
)
FMN_GAMMA = Parameter(
    "fmn_gamma",
    real(above=0, below=1),
    0.05,
    "share by which fmn_ changes its radius first; at the end 0.001",
)
DDN_STEPS = Parameter("ddn_steps", integer(1, MANY), 100, "iterations of ddn")
DDN_RADIUS = Parameter(
    "ddn_radius", real(above=0, at_most=1000), 1.0, "first L2 norm of ddn's change (init_epsilon)"
)
DDN_GAMMA = Parameter(
    "ddn_gamma", real(above=0, below=1), 0.05, "share by which ddn changes its L2 norm at each step"
)
DDN_LEVELS = Parameter(
    "ddn_levels",
    integer(2, 65_536),
    256,
    "values of a pixel that ddn rounds to; 65536: hardly any rounding",
)
FAB_STEPS = Parameter("fab_steps", integer(1, MANY), 100, "iterations of fab_t per target")
FAB_BIAS = Parameter(
    "fab_bias",
    real(at_least=0, at_most=1),
    0.1,
    "largest weight of the clean image in a step of fab_t (alpha_max)",
)
FAB_OVERSHOOT = Parameter(
    "fab_overshoot",
    real(at_least=1, at_most=10),
    1.05,
    "length of a step of fab_t; 1 ends on the linearised boundary (eta)",
)
FAB_PULL = Parameter(
    "fab_pull",
    real(above=0, below=1),
    0.9,
    "share of its distance to which fab_t pulls an adversarial point back (beta)",
)

_MINIMUM_NORM: dict[str, Value] = {"finds_minimum": True, "skips_misclassified": True}
_FMN: dict[str, Value] = {
    "source": "Pintor et al. 2021, algorithm 1",
    "code": "gauntlet.attacks.fast_minimum_norm:FastMinimumNorm",
    "parameters": {"steps": FMN_STEPS, "step": FMN_STEP, "gamma": FMN_GAMMA},
    **_MINIMUM_NORM,
}
_FAB: dict[str, Value] = {
    "source": "Croce and Hein 2020, arXiv:1907.02044, algorithm 1; targets: arXiv:2003.01690",
    "code": "gauntlet.attacks.fast_adaptive_boundary:TargetedFAB",
    "parameters": {
        "steps": FAB_STEPS,
        "targets": TARGET_CLASSES,
        "bias": FAB_BIAS,
        "overshoot": FAB_OVERSHOOT,
        "pull": FAB_PULL,
    },
    **_MINIMUM_NORM,
}

ADAPTIVE_ATTACKS = (
    Attack(
        name="fmn_l2",
        sentence="steps in an L2 ball that shrinks at each success, and else grows",
        norm="l2",
        fixed={"norm": "l2"},
        **_FMN,
    ),
    Attack(
        name="fmn_linf",
        sentence="steps in a Linf ball that shrinks at each success, and else grows",
        fixed={"norm": "linf"},
        **_FMN,
    ),
    Attack(
        name="ddn",
        sentence="steps on an L2 sphere that shrinks at each success, and else grows",
        source="Rony et al. 2019, algorithm 1",
        code="gauntlet.attacks.decoupled_norm:DecoupledNorm",
        parameters={
            "steps": DDN_STEPS,
            "radius": DDN_RADIUS,
            "gamma": DDN_GAMMA,
            "levels": DDN_LEVELS,
        },
        norm="l2",
        **_MINIMUM_NORM,
    ),
    Attack(
        name="fab_t",
        sentence="walks along each wrong class's boundary towards the image, small in Linf",
        fixed={"norm": "linf"},
        **_FAB,
    ),
    Attack(
        name="fab_t_l2",
        sentence="walks along each wrong class's boundary towards the image, small in L2",
        norm="l2",
        fixed={"norm": "l2"},
        **_FAB,
    ),
)
