"""Threat models: what the attacker perturbs, whose gradient it follows, who judges the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.attacks.base import IMAGE_BOX, Box, Logits
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.defences.stochastic import StochasticModel
from gauntlet.networks import KEPT_MODELS


class ThreatModel(NamedTuple):
    """One row of the table; the words name the parts of `Scenario`."""

    perturbs: Literal["input", "autoencoder_output"]
    gradient_of: Literal["defended", "classifier", "surrogate"]
    judged_by: Literal["defended", "classifier"]


THREAT_MODELS = {
    # The honest number: the attacker knows all of the defence.
    "white_box": ThreatModel("input", "defended", "defended"),
    # The first paper's "filter" idea: the attacker does not know of the autoencoder.
    "gray_box": ThreatModel("input", "classifier", "defended"),
    # The attacker trained an undefended model of its own, from another seed.
    "transfer": ThreatModel("input", "surrogate", "defended"),
    # What the first paper measured: the perturbation is added behind the autoencoder.
    "encoded": ThreatModel("autoencoder_output", "classifier", "classifier"),
    # Scores alone, no gradient (attacks `BY_QUERIES`): what beats white_box here was masked there.
    "black_box": ThreatModel("input", "defended", "defended"),
}


@dataclass(frozen=True)
class Scenario:
    """A threat model in front of a defended model."""

    threat_model: ThreatModel
    defended: DefendedModel
    surrogate: keras.Model | None = None  # for `transfer` alone

    @cached_property
    def _parts(self) -> dict[str, DefendedModel]:
        parts = {"defended": self.defended, "classifier": DefendedModel(self.defended.classifier)}
        if self.surrogate is not None:
            parts["surrogate"] = DefendedModel(self.surrogate)
        return parts

    @property
    def attacked_graph(self) -> keras.Model:
        """The model whose gradient the attacker has."""
        return self._parts[self.threat_model.gradient_of].graph

    @property
    def judge(self) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
        """From perturbed inputs to predicted classes."""
        return self._parts[self.threat_model.judged_by].predict

    def votes(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the judge's classes of perturbed inputs by each draw, `(draws, n)`."""
        return self._parts[self.threat_model.judged_by].votes(images)

    @property
    def samples(self) -> int:
        """Draws behind the attacked logits of an image, each of them a query or a gradient call."""
        attacked = self._parts[self.threat_model.gradient_of]
        return attacked.samples if isinstance(attacked, StochasticModel) else 1

    def restart(self, seed: int) -> None:
        """Let the draws of a stochastic defence begin anew."""
        if isinstance(self.defended, StochasticModel):
            self.defended.restart(seed)

    @property
    def perturbs_input(self) -> bool:
        """Whether the perturbation is added to the image, before the autoencoder."""
        return self.threat_model.perturbs == "input"

    @property
    def box(self) -> Box:
        """The range of what is perturbed; an autoencoder's output has none."""
        return IMAGE_BOX if self.perturbs_input else None

    def starts(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the perturbation is added to."""
        return images if self.perturbs_input else self.defended.encode(images)


@lru_cache(maxsize=KEPT_MODELS)
def logits_of(model: keras.Model) -> Logits:
    """Return the one callable through which attacks see a model: inference mode, logits.

    Always the same one for a model: cleverhans compiles anew for every new callable.
    """

    def logits(images: Any, labels: Any) -> Any:
        del labels  # only a defence that rejects inputs needs them
        return model(images, training=False)

    return logits
