"""What FMN and DDN share: gradient steps inside a ball whose radius follows the boundary.

The ball lies around the clean image. It shrinks where the last point was adversarial and grows
where it was not, so that a search swings about the boundary while its steps become shorter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Box, bounds
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.nearest import Nearest, nothing_found, size, wide
from gauntlet.attacks.pixel_limits import pixel_limits


class Search(NamedTuple):
    """The state of a search; images and points `(n, height, width, channels)`, all else `(n,)`.

    Attributes:
        images: the clean images.
        labels: true classes.
        unit: range of a pixel, in which the published lengths of steps are read.
        farthest: distance of the farthest point of the box, which no radius exceeds.
        at: the point that is evaluated next.
        radius: of the ball.
        nearest: what was found.
    """

    images: Tensor
    labels: Tensor
    unit: Tensor
    farthest: Tensor
    at: Tensor
    radius: Tensor
    nearest: Nearest

    @property
    def finished(self) -> Tensor:
        """Which images are misclassified as they are.

        Their points go on moving, but nothing replaces what was found.
        """
        return self.nearest.distance == 0


def search_from(batch: Batch, box: Box, radius: float, norm: str) -> Search:
    """Return where a search begins: at the clean images, with a radius in pixel ranges.

    Without a box, an image's pixel range is its own.
    """
    images, (low, high) = batch.images, bounds(box)
    darkest, brightest = pixel_limits(np.asarray(images), box)
    unit = tf.constant((brightest - darkest)[:, 0, 0, 0])
    farthest = size(tf.maximum(images - low, high - images), norm)
    nearest = nothing_found(images)
    return Search(images, batch.labels, unit, farthest, images, radius * unit, nearest)


def annealed(first: float, last: float, steps: int) -> Tensor:
    """Return a value per step `(steps,)` that falls from the first towards the last along a cosine.

    Both papers anneal so, after Loshchilov and Hutter 2017 (equation 5, without restarts).
    """
    turn = (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2
    return tf.constant(last + (first - last) * turn, tf.float32)


def along(gradient: Tensor, length: Tensor) -> Tensor:
    """Return the step of L2 norm `length` `(n,)` along each gradient; 0 where there is none."""
    return gradient * wide(tf.math.divide_no_nan(length, size(gradient, "l2")))
