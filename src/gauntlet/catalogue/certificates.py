"""The certificates: what each proves of a defended model, and which models it can take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gauntlet.catalogue.attacks import EPSILONS
from gauntlet.catalogue.components import Catalogue, Chosen, Component
from gauntlet.catalogue.defences import STOCHASTIC, Defence
from gauntlet.catalogue.parameters import Parameter, Value
from gauntlet.catalogue.trainings import Trainable, Training
from gauntlet.catalogue.units import Budgets


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


def budgets_of(certificate: Chosen[Certificate]) -> tuple[float, ...]:
    """Return a certificate's budgets, of pixels in [0, 1], ascending."""
    budgets = certificate.entry.budgets
    return budgets.epsilons(certificate.values[budgets.name])


AFFINE_AND_RELU = "networks of dense, convolutional, flatten and reshape layers and ReLU alone"


def beside_relu(model: Certifiable) -> str:
    """Return what of a defended model is neither affine nor ReLU; empty: nothing that is known."""
    if model.defence.entry.before == "detectors":
        return "detectors"
    if model.defence.values.get(STOCHASTIC.name):
        return f"random draws (--{STOCHASTIC.name} true)"
    for network in model.networks.values():
        for what in network.nonlinear:
            if what not in ("relu", "linear"):
                return f"{what} in {network.name}"
    return ""


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
    ),
)
