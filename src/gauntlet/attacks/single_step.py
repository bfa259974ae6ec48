"""Attacks that take one step along one direction: one gradient serves every budget."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from cleverhans.tf2.utils import optimize_linear

from gauntlet.attacks.base import (
    Attack,
    Batch,
    Box,
    Crafted,
    Logits,
    bounds,
    clip_to,
    one_pass,
)
from gauntlet.attacks.gradients import compiled_gradient, cross_entropy, finite


@dataclass(frozen=True)
class SingleStep(Attack):
    """x + epsilon * direction(x), clipped to the box."""

    def _prepare(
        self, logits: Logits, batches: Sequence[Batch], box: Box, seed: int
    ) -> Sequence[Any]:
        del box, seed
        return [_sign(gradient) for gradient in self._followed(logits, batches)]

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any]:
        return (self._gradient(logits, batch) for batch in batches)

    @abstractmethod
    def _gradient(self, logits: Logits, batch: Batch) -> Any:
        """Return the gradient whose signs are the step, shaped as the images."""

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del logits, seed
        budget = tf.constant(epsilon, tf.float32)
        return Crafted(_stepped(batch.images, state, budget, *bounds(box)), 1, 0)


@dataclass(frozen=True)
class FGSM(SingleStep):
    """Fast gradient sign method (Goodfellow et al. 2015): ascend the cross entropy of the truth."""

    def _gradient(self, logits: Logits, batch: Batch) -> Any:
        gradient = compiled_gradient(logits, cross_entropy, False)
        return gradient(batch.images, batch.labels, batch.labels)


@dataclass(frozen=True)
class TargetedFGSM(SingleStep):
    """T-FGSM (first paper, 5.2.2): descend the cross entropy of one class for every image.

    Images of the target class are pushed to their truth; they count like any other.
    """

    target: int

    def _gradient(self, logits: Logits, batch: Batch) -> Any:
        targets = tf.fill(batch.labels.shape, tf.constant(self.target, batch.labels.dtype))
        gradient = compiled_gradient(logits, cross_entropy, True)
        return gradient(batch.images, batch.labels, targets)


@dataclass(frozen=True)
class RandomNoise(Attack):
    """Uniform noise in [-epsilon, epsilon]: the control that a gradient attack must beat."""

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del logits, state
        return Crafted(clip_to(box, batch.images + epsilon * batch.uniform(seed)), 0, 0)


@one_pass
def _sign(gradient: Any) -> Any:
    return optimize_linear(finite(gradient), 1.0, np.inf)


@one_pass
def _stepped(images: Any, direction: Any, epsilon: Any, low: Any, high: Any) -> Any:
    return tf.clip_by_value(images + epsilon * direction, low, high)
