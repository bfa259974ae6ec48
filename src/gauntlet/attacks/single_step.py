"""Attacks that take one step along one direction: one gradient serves every budget."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from cleverhans.tf2.utils import optimize_linear

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Attack, Crafted, Logits, Threat, bounds, clip_to, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import compiled_gradient, cross_entropy, finite


@dataclass(frozen=True)
class SingleStep(Attack):
    """x + epsilon * sign(gradient), clipped to the box."""

    def _prepare(self, threat: Threat, batches: Sequence[Batch]) -> Sequence[Tensor]:
        return [_sign(gradient) for gradient in self._followed(threat.logits, batches)]

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return (self._gradient(logits, batch) for batch in batches)

    @abstractmethod
    def _gradient(self, logits: Logits, batch: Batch) -> Tensor:
        """Return the gradient whose signs are the step, shaped as the images."""

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: Tensor) -> Crafted:
        budget = tf.constant(epsilon, tf.float32)
        return Crafted(_stepped(batch.images, state, budget, *bounds(threat.box)), 1, 0)


@dataclass(frozen=True)
class FGSM(SingleStep):
    """Fast gradient sign method (Goodfellow et al. 2015): ascend the cross entropy of the truth."""

    def _gradient(self, logits: Logits, batch: Batch) -> Tensor:
        gradient = compiled_gradient(logits, cross_entropy, False)
        return gradient(batch.images, batch.labels, batch.labels)


@dataclass(frozen=True)
class TargetedFGSM(SingleStep):
    """T-FGSM (first paper, 5.2.2): descend the cross entropy of one class for every image.

    Images whose true class is the target are pushed to it too; they count like all others.
    """

    target: int

    def _gradient(self, logits: Logits, batch: Batch) -> Tensor:
        targets = tf.fill(batch.labels.shape, tf.constant(self.target, batch.labels.dtype))
        gradient = compiled_gradient(logits, cross_entropy, True)
        return gradient(batch.images, batch.labels, targets)


@dataclass(frozen=True)
class RandomNoise(Attack):
    """Uniform noise in [-epsilon, epsilon], a control: a gradient attack must do better."""

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        noise = epsilon * batch.uniform(threat.seed)
        return Crafted(clip_to(threat.box, batch.images + noise), 0, 0)


@one_pass
def _sign(gradient: Tensor) -> Tensor:
    return optimize_linear(finite(gradient), 1.0, np.inf)


@one_pass
def _stepped(
    images: Tensor, direction: Tensor, epsilon: Tensor, low: Tensor, high: Tensor
) -> Tensor:
    return tf.clip_by_value(images + epsilon * direction, low, high)
