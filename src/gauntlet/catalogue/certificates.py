"""The certificates: what each proves of a defended model, and which models it can take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gauntlet.catalogue.attacks import EPSILONS, L2_EPSILONS
from gauntlet.catalogue.components import Catalogue, Chosen, Component
from gauntlet.catalogue.defences import ONCE, SHARE, STOCHASTIC, Defence
from gauntlet.catalogue.names import Name
from gauntlet.catalogue.parameters import Parameter, Value, Values, integer, real
from gauntlet.catalogue.trainings import Trainable, Training
from gauntlet.catalogue.units import Budgets

SMOOTHING_N0 = Parameter(
    "smoothing_n0", integer(1, 10_000_000), 100, "smoothing: draws per image that choose a class"
)
SMOOTHING_N = Parameter(
    "smoothing_n",
    integer(1, 10_000_000),
    100_000,
    "smoothing: further draws per image, which bound how probable that class is",
)
SMOOTHING_ALPHA = Parameter(
    "smoothing_alpha",
    real(above=0, below=1),
    0.001,
    "smoothing: how probably the radius of an image is too large",
)


class Certifiable(NamedTuple):
    """A defended model, as far as it is known before its networks are trained.

    Attributes:
        defence: with its parameters.
        networks: how each of its parts is trained, from the image to the logits.
    """

    defence: Chosen[Defence]
    networks: Mapping[str, Training[Trainable]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Certificate(Component):
    """A certificate; its code turns a `gauntlet.certificates.proof.Question` into `Proof`s.

    Attributes:
        needs: what it needs of a defended model, as an error says it.
        obstacle: what of a defended model it cannot take; empty: nothing that is known so far.
        budgets: the parameter that lists its budgets; their unit says of which norm.
        random: its proofs depend on a seed.
    """

    needs: str
    obstacle: Callable[[Certifiable], str]
    budgets: Budgets = EPSILONS
    random: bool = False

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """Every parameter that it reads, its budgets first."""
        return (self.budgets, *self.parameters.values())


class Certifying(NamedTuple):
    """A certificate on a defence, and what of the defence it cannot take; empty: nothing."""

    certificate: Certificate
    defence: Defence
    obstacle: str

    def __str__(self) -> str:
        needs = f"{self.certificate.name} needs {self.certificate.needs}"
        return f"{needs}; received {self.obstacle} of defence {self.defence.name}"


def budgets_of(certificate: Chosen[Certificate]) -> tuple[float, ...]:
    """Return a certificate's budgets, of pixels in [0, 1], ascending."""
    budgets = certificate.entry.budgets
    return budgets.epsilons(certificate.values[budgets.name])


AFFINE_AND_RELU = "networks of dense, convolutional, flatten and reshape layers and ReLU alone"


def beside_relu(model: Certifiable) -> str:
    """Return what of a defended model is neither affine nor ReLU; empty: nothing that is known."""
    if (before := model.defence.entry.before) in ("detectors", "noise"):
        return before
    if model.defence.values.get(STOCHASTIC.name):
        return f"random draws (--{STOCHASTIC.name} true)"
    for network in model.networks.values():
        for what in network.nonlinear:
            if what not in ("relu", "linear"):
                return f"{what} in {network.name}"
    return ""


def not_smoothed(model: Certifiable) -> str:
    """Return what of a defended model is no smoothing; empty: it is smoothed."""
    return "" if model.defence.entry.before == "noise" else "no noise"


def enough_draws(values: Values) -> None:
    """Check that there are draws enough for a certificate where all of them agree.

    Their bound is alpha^(1/n) then, and a certificate needs more than 1/2.

    Raises:
        ValueError: there are too few.
    """
    n, alpha = values[SMOOTHING_N.name], values[SMOOTHING_ALPHA.name]
    least = math.floor(-math.log2(alpha)) + 1
    if n < least:
        raise ValueError(
            f"--{SMOOTHING_N.name}: expected at least {least} draws, for with fewer no image can "
            f"be certified at {SMOOTHING_ALPHA.name}={alpha:g}; received {n}"
        )


_PIECEWISE_LINEAR: dict[str, Value] = {"needs": AFFINE_AND_RELU, "obstacle": beside_relu}

CERTIFICATES = Catalogue(
    Certificate,
    "certificate",
    (
        Certificate(
            name="interval",
            sentence="intervals of every layer's outputs, carried from the pixels to the logits",
            source="Gowal et al. 2018",
            code="gauntlet.certificates.interval:certify",
            **_PIECEWISE_LINEAR,
        ),
        Certificate(
            name="relaxation",
            sentence="linear bounds of the logits, carried back to the pixels through two lines "
            "around each ReLU",
            source="Wong and Kolter 2018; Weng et al. 2018; Zhang et al. 2018",
            code="gauntlet.certificates.relaxation:certify",
            **_PIECEWISE_LINEAR,
        ),
        Certificate(
            name="smoothing",
            sentence="the radius within which the most probable class under Gaussian noise stays "
            "the same, right with probability 1 - smoothing_alpha per image",
            source="Cohen et al. 2019, theorem 1 and section 3.2.2",
            code="gauntlet.certificates.smoothing:certify",
            needs="Gaussian noise before the classifier (defence smoothing or denoised_smoothing)",
            obstacle=not_smoothed,
            budgets=L2_EPSILONS,
            random=True,
            rule=enough_draws,
            parameters={"n0": SMOOTHING_N0, "n": SMOOTHING_N, "alpha": SMOOTHING_ALPHA},
            metrics=(Name("certified/abstained", "images without a certified class", SHARE, ONCE),),
        ),
    ),
)
