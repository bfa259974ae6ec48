"""Minimum-norm attacks: one search for the nearest adversarial image serves every budget."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Attack, Crafted, Logits, Threat
from gauntlet.attacks.batch import Batch
from gauntlet.training.keras_loops import KEPT_MODELS


@dataclass(frozen=True)
class MinimumNormAttack(Attack):
    """An attack that searches once; a budget then accepts what the search found within it.

    Subclasses write `_search`. An image stays as it is if nothing is found, or nothing within
    epsilon, which is a budget like that of any attack. A Linf budget of 1 spans the box [0, 1], so
    it accepts everything that was found.
    """

    @abstractmethod
    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        """Return the nearest adversarial images found inside the box, and what they cost.

        An image that is misclassified already, or for which nothing is found, is returned as it is.
        """

    def _prepare(self, threat: Threat, batches: Sequence[Batch]) -> Sequence[Crafted]:
        return [self._search(threat, batch) for batch in batches]

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: Crafted) -> Crafted:
        near = self.budget_norm.size(state.images - batch.images) <= epsilon
        return state._replace(images=tf.where(near, state.images, batch.images))


@lru_cache(maxsize=KEPT_MODELS)
def compiled_logits(logits: Logits, shape: tuple[int, ...]) -> Callable[[Tensor, Tensor], Tensor]:
    """Compile `(images, labels) -> logits` for any number of images of this shape."""
    rows = [tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.int64)]
    compiled: Callable[[Tensor, Tensor], Tensor] = tf.function(
        lambda images, labels: logits(images, labels), input_signature=rows, autograph=False
    )
    return compiled
