"""Attacks that look for the nearest adversarial image."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import MANY, Attack
from gauntlet.catalogue.parameters import Parameter, Value, integer, one_of, real

DEEPFOOL_VARIANT = Parameter(
    "deepfool_variant",
    one_of(("paper", "foolbox1", "foolbox3")),
    "foolbox1",
    "paper: as published; foolbox1: as the second paper ran it; foolbox3",
)
DEEPFOOL_STEPS = Parameter("deepfool_steps", integer(1, MANY), 50, "iterations of deepfool_")
CW_STEPS = Parameter("cw_steps", integer(1, 1_000_000), 1000, "Adam steps per search of cw_l2")
CW_SEARCHES = Parameter("cw_searches", integer(1, 100), 5, "binary searches of cw_l2's constant")
CW_RATE = Parameter("cw_rate", real(above=0, at_most=10), 0.01, "Adam's learning rate in cw_l2")
CW_CONFIDENCE = Parameter(
    "cw_confidence", real(at_least=0, at_most=1e6), 0.0, "logit margin that cw_l2 asks for"
)
SIGMA_ZERO_STEPS = Parameter("sigma_zero_steps", integer(1, MANY), 1000, "steps of sigma_zero")
MAX_PIXELS = Parameter("max_pixels", integer(1, 1_000_000), 1000, "pixels that single_pixel tries")
LOCAL_SEARCH_ROUNDS = Parameter(
    "local_search_rounds", integer(1, MANY), 150, "rounds of local_search"
)
LOCAL_SEARCH_SELECTION = Parameter(
    "local_search_selection",
    one_of(("lowest", "highest")),
    "highest",
    "scores that local_search follows; lowest: as the second paper ran it",
)

_DEEPFOOL: dict[str, Value] = {
    "source": "Moosavi-Dezfooli et al. 2016",
    "code": "gauntlet.attacks.deepfool:DeepFool",
    "parameters": {"variant": DEEPFOOL_VARIANT, "steps": DEEPFOOL_STEPS},
    "finds_minimum": True,
    "skips_misclassified": True,
}

MINIMUM_NORM_ATTACKS = (
    Attack(
        name="deepfool_l2",
        sentence="steps to the nearest linearised decision boundary, small in L2",
        norm="l2",
        fixed={"norm": "l2"},
        **_DEEPFOOL,
    ),
    Attack(
        name="deepfool_linf",
        sentence="steps to the nearest linearised decision boundary, small in Linf",
        fixed={"norm": "linf"},
        **_DEEPFOOL,
    ),
    Attack(
        name="cw_l2",
        sentence="Adam on the L2 norm plus the margin, whose weight a binary search finds",
        source="Carlini and Wagner 2017",
        code="gauntlet.attacks.carlini_wagner:CarliniWagnerL2",
        parameters={
            "steps": CW_STEPS,
            "searches": CW_SEARCHES,
            "rate": CW_RATE,
            "confidence": CW_CONFIDENCE,
        },
        norm="l2",
        finds_minimum=True,
        skips_misclassified=True,
    ),
    Attack(
        name="sigma_zero",
        sentence="Adam on the margin and a smooth count of changed pixels; undoes small ones",
        source="Cinà et al. 2025, algorithm 1",
        code="gauntlet.attacks.sigma_zero:SigmaZero",
        parameters={"steps": SIGMA_ZERO_STEPS},
        norm="l0",
        finds_minimum=True,
        skips_misclassified=True,
    ),
    Attack(
        name="single_pixel",
        sentence="sets one pixel to black or white",
        source="second paper, section 4.2; foolbox 1",
        code="gauntlet.attacks.single_pixel:SinglePixel",
        parameters={"max_pixels": MAX_PIXELS},
        needs="scores",
        norm="l0",
        finds_minimum=True,
        skips_misclassified=True,
        random=True,
    ),
    Attack(
        name="local_search",
        sentence="greedy search over the pixels that lower the true class's score most",
        source="Narodytska and Kasiviswanathan 2017; second paper, section 4.2",
        code="gauntlet.attacks.local_search:LocalSearch",
        parameters={"rounds": LOCAL_SEARCH_ROUNDS, "selection": LOCAL_SEARCH_SELECTION},
        needs="scores",
        norm="l0",
        finds_minimum=True,
        skips_misclassified=True,
        random=True,
    ),
)
