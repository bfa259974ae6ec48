"""Threat models: what the attacker perturbs, whose gradient it follows, who judges the result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import IMAGE_BOX, Box, Logits
from gauntlet.catalogue.threat_models import ThreatModel
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.training.keras_loops import KEPT_MODELS


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
    def _attacked(self) -> DefendedModel:
        return self._parts[self.threat_model.gradient_of]

    @property
    def logits(self) -> Logits:
        """What the attacker sees."""
        return logits_of(self._attacked.graph, self._attacked.rejects)

    def votes(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the judge's classes of perturbed inputs by each draw, `(draws, n)`."""
        return self._parts[self.threat_model.judged_by].votes(images)

    @property
    def samples(self) -> int:
        """Draws behind the attacked logits of an image, each of them a query or a gradient call."""
        return self._attacked.draws

    def restart(self, seed: int) -> None:
        """Let the draws of a stochastic defence begin anew."""
        self.defended.restart(seed)

    @property
    def perturbs_input(self) -> bool:
        """Whether the perturbation is added to the image, before the autoencoder."""
        return self.threat_model.on_images

    @property
    def box(self) -> Box:
        """The range of what is perturbed; an autoencoder's output has none."""
        return IMAGE_BOX if self.perturbs_input else None

    def starts(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the perturbation is added to."""
        return images if self.perturbs_input else self.defended.reconstruct(images)


@lru_cache(maxsize=KEPT_MODELS)
def logits_of(model: keras.Model, rejects: bool = False) -> Logits:
    """Return the one callable through which attacks see a model.

    Always the same one for a model: cleverhans compiles anew for every new callable.
    """
    return ModelLogits(model, rejects)


@dataclass(frozen=True)
class ModelLogits:
    """Logits of a model in inference mode.

    Attributes:
        model: from images to logits.
        rejects: its last logit is the largest where it rejects an image; see `fold_rejection`.
    """

    model: keras.Model
    rejects: bool = False

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return `(n, classes)` for images `(n, height, width, channels)`, true labels `(n,)`."""
        found = self.model(images, training=False)
        return fold_rejection(found, labels) if self.rejects else found


def fold_rejection(logits: Tensor, labels: Tensor) -> Tensor:
    """Return logits `(n, classes)` from logits `(n, classes + 1)`, the last of them for rejection.

    A rejected image counts as correct: it does no harm. So an attack succeeds only if it makes a
    wrong class beat both the true class and the rejection. No attack knows of rejections; it
    compares the true class with the others. Therefore the true class gets the larger one of its own
    logit and the rejection logit. Then "misclassified" means "wrong and accepted", and the gradient
    of any loss flows through whichever of the two holds the attack back: it lowers the detectors'
    marks where the image is rejected, and the true class where it is accepted.

    Only the true label says which logit to raise, so labels reach the logits of every attack, even
    of one that uses no labels itself. The defence does not see them: the judge rejects and
    classifies without labels, and this function serves attackers alone.

    Args:
        logits: `(n, classes + 1)`; the last one is the largest where the image is rejected.
        labels: true classes `(n,)`.
    """
    classes, rejection = logits[:, :-1], logits[:, -1:]
    true = tf.one_hot(labels, classes.shape[1], on_value=True, off_value=False)
    return tf.where(true, tf.maximum(classes, rejection), classes)
