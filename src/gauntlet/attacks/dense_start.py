"""Networks whose first layer is dense: fast queries of images that differ in one pixel.

That layer computes sums = image @ kernel + bias, most of a small network's work. If one pixel
changes by d, the sums change by d times that pixel's row of the kernel. So the sums are computed
once per image, and a query adds one row to them and runs the other layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import tensorflow as tf
from keras import layers

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Logits
from gauntlet.attacks.threat_models import ModelLogits


@dataclass(frozen=True)
class DenseStart:
    """A network cut behind the sums of its first layer.

    Attributes:
        dense: the first layer that computes.
        following: the layers behind it, in order.
    """

    dense: layers.Dense
    following: list[layers.Layer]

    def sums(self, images: Tensor) -> Tensor:
        """Return the first layer's sums for images, before its activation: `(n, units)`."""
        flat = tf.reshape(images, (-1, self.dense.kernel.shape[0]))
        sums = flat @ self.dense.kernel
        return sums if self.dense.bias is None else sums + self.dense.bias

    def moved(self, sums: Tensor, pixels: Tensor, changes: Tensor) -> Tensor:
        """Return the sums after one pixel of each image has changed.

        Args:
            sums: of the unchanged images `(n, units)`.
            pixels: index of the changed pixel, row by row `(n,)`.
            changes: what is added to its channels `(n, channels)`.
        """
        # The kernel has a row per number of the flattened image, hence `channels` rows per pixel.
        n_channels = changes.shape[1]
        kernel = tf.reshape(self.dense.kernel, (-1, n_channels, self.dense.units))
        return sums + tf.reduce_sum(changes[:, :, None] * tf.gather(kernel, pixels), axis=1)

    def logits(self, sums: Tensor) -> Tensor:
        """Return the network's logits `(n, classes)` for sums of its first layer `(n, units)`."""
        x = self.dense.activation(sums)
        for layer in self.following:
            x = layer(x, training=False)
        return x


def dense_start(logits: Logits) -> DenseStart | None:
    """Return the start of a network that is a chain of flatten, dense and more layers.

    None for any other: a defence that rejects, callables without a model, branches.
    """
    if not isinstance(logits, ModelLogits) or logits.rejects:
        return None
    found = [layer for layer in logits.model.layers if not isinstance(layer, layers.InputLayer)]
    match found:
        case [layers.Flatten(), layers.Dense() as dense, *following] if _is_chain(found):
            return DenseStart(dense, following)
    return None


def _is_chain(found: list[layers.Layer]) -> bool:
    """Tell whether the output of each layer is the input of the next."""
    return all(one.output is other.input for one, other in pairwise(found))
