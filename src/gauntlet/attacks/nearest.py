"""How near an image is in a norm, and the nearest adversarial image that a search has found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.norms import NORMS, PIXELS


class Nearest(NamedTuple):
    """The nearest adversarial images so far.

    Attributes:
        images: `(n, height, width, channels)`; the clean image where nothing is found.
        distance: from the clean image `(n,)`: infinite where nothing is found, 0 where the clean
            image is misclassified, which no later image replaces.
    """

    images: Tensor
    distance: Tensor


def nothing_found(images: Tensor) -> Nearest:
    """Return where every search begins."""
    return Nearest(images, tf.fill([len(images)], np.float32(np.inf)))


def noted(nearest: Nearest, images: Tensor, distance: Tensor, hit: Tensor) -> Nearest:
    """Keep each image that is hit `(n,)` bool, and nearer than what was found before; traceable."""
    # A distance that is not a number compares as false, so no broken image is ever kept.
    nearer = hit & (distance < nearest.distance)
    return Nearest(
        tf.where(wide(nearer), images, nearest.images),
        tf.where(nearer, distance, nearest.distance),
    )


def size(change: Tensor, norm: str) -> Tensor:
    """Return the norm, a name in `NORMS`, of each change `(n, height, width, channels)`: `(n,)`."""
    return NORMS[norm].size(change)[:, 0, 0, 0]


def dual_size(gradient: Tensor, norm: str) -> Tensor:
    """Return the dual norm of each gradient `(n,)`: L2 for L2, L1 for Linf.

    A linear function with this gradient changes by at most so much per unit of the norm.
    """
    if norm == "linf":
        return tf.reduce_sum(tf.abs(gradient), PIXELS)
    return size(gradient, "l2")


def wide(each: Tensor) -> Tensor:
    """Return `(n,)` as `(n, 1, 1, 1)`."""
    return each[:, None, None, None]
