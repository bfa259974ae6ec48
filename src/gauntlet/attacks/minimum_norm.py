"""Minimum-norm attacks: one search for the nearest adversarial image serves every budget."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from gauntlet.attacks.base import Attack, Batch, Box, Crafted, Logits


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
