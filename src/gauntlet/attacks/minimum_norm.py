"""Minimum-norm attacks: one search for the nearest adversarial image serves every budget."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import tensorflow as tf

from gauntlet.attacks.base import Attack, Batch, Box, Crafted, Logits
from gauntlet.training.keras_loops import KEPT_MODELS


@dataclass(frozen=True)
class MinimumNormAttack(Attack):
    """Its subclasses write `_search`; a budget then shows what lies within it.

    An image for which nothing is found, or nothing within epsilon (Linf, as every budget), stays as
    it is. At epsilon 1 in the box [0, 1] everything shows that was found.
    """

    skips_misclassified: ClassVar[bool] = True

    @abstractmethod
    def _search(self, logits: Logits, batch: Batch, box: Box, seed: int) -> Crafted:
        """Return the nearest adversarial images found inside the box, and what they cost.

        An image that is misclassified already, or for which nothing is found, is returned as it is.
        """

    def _prepare(
        self, logits: Logits, batches: Sequence[Batch], box: Box, seed: int
    ) -> Sequence[Any]:
        return [self._search(logits, batch, box, seed) for batch in batches]

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Crafted, seed: int
    ) -> Crafted:
        del logits, box, seed
        change = tf.reduce_max(tf.abs(state.images - batch.images), axis=[1, 2, 3], keepdims=True)
        return state._replace(images=tf.where(change <= epsilon, state.images, batch.images))


@lru_cache(maxsize=KEPT_MODELS)
def compiled_logits(logits: Logits, shape: tuple[int, ...]) -> Callable[[Any, Any], Any]:
    """Compile logits for any number of images of this shape."""
    rows = [tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.int64)]
    compiled: Callable[[Any, Any], Any] = tf.function(
        lambda images, labels: logits(images, labels), input_signature=rows
    )
    return compiled
