"""Networks that begin with a dense layer: a changed pixel moves it by one row of its weights.

So a query of one changed pixel need not compute that layer again, most of a small network's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import tensorflow as tf
from keras import layers

from gauntlet.attacks.base import Logits
from gauntlet.attacks.threat_models import ModelLogits


@dataclass(frozen=True)
class DenseStart:
    """The first layer of a chain, and the layers that follow."""

    dense: layers.Dense
    following: list[layers.Layer]

    def sums(self, images: Any) -> Any:
        """Return the first layer's sums before its activation, `(n, units)`."""
        flat = tf.reshape(images, (-1, self.dense.kernel.shape[0]))
        sums = flat @ self.dense.kernel
        return sums if self.dense.bias is None else sums + self.dense.bias

    def moved(self, sums: Any, pixels: Any, changes: Any) -> Any:
        """Return the sums `(n, units)` after pixels `(n,)` have changed by `(n, channels)`."""
        n_channels = changes.shape[1]
        kernel = tf.reshape(self.dense.kernel, (-1, n_channels, self.dense.units))
        return sums + tf.reduce_sum(changes[:, :, None] * tf.gather(kernel, pixels), axis=1)

    def logits(self, sums: Any) -> Any:
        """Return what the rest of the network makes of the first layer's sums."""
        x = self.dense.activation(sums)
        for layer in self.following:
            x = layer(x, training=False)
        return x


def dense_start(logits: Logits) -> DenseStart | None:
    """Return the start of a network that is a chain of flatten, dense and more layers, or None."""
    if not isinstance(logits, ModelLogits) or logits.rejects:
        return None
    found = [layer for layer in logits.model.layers if not isinstance(layer, layers.InputLayer)]
    match found:
        case [layers.Flatten(), layers.Dense() as dense, *following] if _is_chain(found):
            return DenseStart(dense, following)
    return None


def _is_chain(found: list[layers.Layer]) -> bool:
    return all(one.output is other.input for one, other in pairwise(found))
