"""The attacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gauntlet.catalogue.components import Catalogue, Chosen, Component
from gauntlet.catalogue.parameters import AUTO, Parameter, Value, integer, one_of, or_auto, real
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


@dataclass(frozen=True, kw_only=True)
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

    __hash__ = Component.__hash__

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

STEPS = Parameter("steps", integer(1, MANY), 20, "iterations of bim, pgd and mim")
REL_STEP = Parameter(
    "rel_step",
    or_auto(real(above=0, at_most=1)),
    AUTO,
    "step size of bim, pgd and mim as a share of epsilon; auto: 2.5 / steps",
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
RESTARTS = Parameter("restarts", integer(1, 10_000), 5, "random starts of pgd")
PGD_LOSS = Parameter(
    "pgd_loss",
    one_of(("cross_entropy", "margin", "dlr")),
    "cross_entropy",
    "what pgd ascends; margin and dlr do not saturate (dlr of two classes is the margin)",
)
DECAY = Parameter("decay", real(at_least=0, at_most=10), 1.0, "momentum decay of mim")
APGD_STEPS = Parameter("apgd_steps", integer(2, MANY), 100, "iterations of apgd_ce and apgd_dlr")
APGD_RESTARTS = Parameter("apgd_restarts", integer(1, 10_000), 1, "random starts of apgd_")
SQUARE_QUERIES = Parameter("square_queries", integer(1, 1_000_000), 5000, "queries of square")
SPSA_STEPS = Parameter("spsa_steps", integer(1, MANY), 100, "iterations of spsa")
SPSA_SAMPLES = Parameter("spsa_samples", integer(1, MANY), 128, "pairs of queries per step of spsa")
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

_ITERATIVE = {"steps": STEPS, "rel_step": REL_STEP}
_AUTO_PGD: dict[str, Value] = {
    "source": "Croce and Hein 2020, algorithm 1",
    "code": "gauntlet.attacks.auto_pgd:AutoPGD",
    "parameters": {"steps": APGD_STEPS, "restarts": APGD_RESTARTS},
    "skips_misclassified": True,
    "random": True,
}
_DEEPFOOL: dict[str, Value] = {
    "source": "Moosavi-Dezfooli et al. 2016",
    "code": "gauntlet.attacks.deepfool:DeepFool",
    "parameters": {"variant": DEEPFOOL_VARIANT, "steps": DEEPFOOL_STEPS},
    "finds_minimum": True,
    "skips_misclassified": True,
}
_LOGISTIC_REGRESSION: dict[str, Value] = {
    "source": "first paper, section 5.2.1",
    "code": "gauntlet.attacks.logistic_regression:LogisticRegressionAttack",
    "budgets": GREY_EPSILONS,
    "keeps_budget": False,
}
_LR = {"variant": LR_VARIANT, "clip": LR_CLIP}

ATTACKS = Catalogue(
    Attack,
    "attack",
    (
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
            parameters=_ITERATIVE,
        ),
        Attack(
            name="pgd",
            sentence="BIM from random starts",
            source="Madry et al. 2018",
            code="gauntlet.attacks.iterative:PGD",
            parameters={**_ITERATIVE, "restarts": RESTARTS, "loss": PGD_LOSS},
            skips_misclassified=True,
            random=True,
        ),
        Attack(
            name="mim",
            sentence="BIM along the accumulated gradient",
            source="Dong et al. 2018",
            code="gauntlet.attacks.iterative:MIM",
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
            name="apgd_ce",
            sentence="PGD that chooses its own step sizes, on the cross entropy",
            fixed={"loss": "cross_entropy"},
            **_AUTO_PGD,
        ),
        Attack(
            name="apgd_dlr",
            sentence="PGD that chooses its own step sizes, on the difference of logits ratio",
            fixed={"loss": "dlr"},
            **_AUTO_PGD,
        ),
        Attack(
            name="square",
            sentence="random search that changes squares and keeps what raises the margin",
            source="Andriushchenko et al. 2020",
            code="gauntlet.attacks.square:Square",
            parameters={"queries": SQUARE_QUERIES},
            needs="scores",
            skips_misclassified=True,
            random=True,
        ),
        Attack(
            name="spsa",
            sentence="gradient ascent on gradients estimated from pairs of queries",
            source="Uesato et al. 2018",
            code="gauntlet.attacks.spsa:SPSA",
            parameters={"steps": SPSA_STEPS, "samples": SPSA_SAMPLES},
            needs="scores",
            skips_misclassified=True,
            random=True,
        ),
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
    ),
)

ENSEMBLES: Mapping[str, tuple[str, ...]] = {"strong": ("pgd", "apgd_ce", "apgd_dlr", "square")}
"""Names for several attacks at once; their worst case per image is the ensemble's verdict."""

DLR_CLASSES = 3
"""Classes that the difference of logits ratio needs; of fewer it is the margin."""
