"""Images cut into batches of one size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Images, Indices, Labels, Tensor


@dataclass(frozen=True)
class Batch:
    """Some of the attacked images; the last batch is padded to the size of the others.

    Attributes:
        images: `(size of a batch, height, width, channels)`.
        labels: true classes `(size of a batch,)`.
        first: index of its first image in the whole set.
        size: how many of its images are not padding.
    """

    images: Tensor
    labels: Tensor
    first: int
    size: int

    def uniform(self, seed: int) -> Tensor:
        """Draw numbers in [-1, 1), shaped as the images, that do not depend on the batch size."""
        # One stream of random numbers serves the whole set, one number per pixel. This batch skips
        # those of the images before it, so an image gets the same noise wherever batches are cut.
        pixels = math.prod(self.images.shape[1:])
        bits = np.random.PCG64(seed)
        bits.advance(self.first * pixels)
        drawn = np.random.Generator(bits).random(self.images.shape)
        return tf.constant(2 * drawn - 1, tf.float32)


def batches_of(images: Images, labels: Labels, batch_size: int) -> Iterator[Batch]:
    """Yield all images in order, at most `batch_size` at once; the last batch is padded."""
    size = min(batch_size, len(images))
    for first in range(0, len(images), size):
        rows: slice | Indices = slice(first, first + size)
        if first + size > len(images):
            rows = np.arange(first, first + size) % len(images)  # wraps round: the padding
        valid = min(size, len(images) - first)
        yield Batch(tf.constant(images[rows]), tf.constant(labels[rows]), first, valid)
