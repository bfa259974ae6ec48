"""Backward linear relaxation: Wong and Kolter 2018 (arXiv 1711.00851), Fast-Lin (Weng et al. 2018).

A ReLU whose input z lies between l < 0 and u > 0 lies between two lines of slope s = u / (u - l):
relu(z) = s z + r, where 0 <= r <= -s l. Elsewhere it is the identity or zero, and r is 0. So a
linear function of a layer's outputs is a linear function of the pixels plus one of the remainders r
of all layers before it. It is carried back block by block; in the end the pixels and the remainders
are put at the corners of their boxes.

CROWN (Zhang et al. 2018) lets the lower line have another slope. With 0 or 1, whichever leaves less
between the lines, as many of the first 300 test images of the published network (`wong2018`) are
proven at 0.1. So the lines are parallel here: one pass then gives both bounds, in about half the
time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Floats, Labels, Tensor
from gauntlet.certificates.blocks import Block
from gauntlet.certificates.interval import Intervals
from gauntlet.certificates.margins import Box, differences, product, proofs, relu
from gauntlet.certificates.proof import Proof, Question, slices

NUMBERS = 2**23
"""Coefficients that are kept in memory at a time: 32 MB, and a few times that while computing."""


def certify(question: Question) -> Iterator[Proof]:
    """Yield which images are proven within each Linf budget.

    Raises:
        UsageError: the network has layers that are neither affine nor ReLU.
    """
    return proofs(question, Relaxation)


class Lines(NamedTuple):
    """The two lines around each ReLU of a layer: relu(z) = slope * z + r, 0 <= r <= gap.

    Attributes:
        slope, gap: `(n, *shape of the layer)`, of one image without its axis.
    """

    slope: Tensor
    gap: Tensor

    def of(self, image: int) -> Lines:
        """Return those of one image."""
        return Lines(self.slope[image], self.gap[image])


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Margins by linear relaxation, at least as large as those by intervals.

    Attributes:
        blocks: of the network.
    """

    blocks: tuple[Block, ...]

    def __call__(self, box: Box, labels: Labels) -> Floats:
        """Return lower bounds of the true logit minus each other one, `(n, classes - 1)`."""
        before: list[Lines] = []
        inner = box
        for i, block in enumerate(self.blocks[:-1]):
            bounds = block.interval(*inner)
            if i or not block.is_one_layer:  # of one layer alone, intervals are exact
                bounds = self._tightened(i, bounds, before, box)
            before.append(_lines(bounds))
            inner = relu(bounds)
        by_intervals = Intervals(self.blocks).last(inner, labels)
        return np.maximum(self._margins(labels, before, box), by_intervals)

    def _margins(self, labels: Labels, before: Sequence[Lines], box: Box) -> Floats:
        """Return the margins by relaxation alone."""
        rows, last = differences(labels, self.blocks[-1].offset.size), self.blocks[-1]
        found = [
            self._range(last.adjoint(mine), i, before, box)[0] + mine @ last.offset
            for i, mine in enumerate(rows)
        ]
        return np.stack(found)

    def _tightened(self, i: int, bounds: Box, before: Sequence[Lines], box: Box) -> Box:
        """Return the bounds of block `i`'s outputs: those by intervals, cut by the relaxation's.

        A bound matters only where the sign of an output is open.
        """
        block, shape = self.blocks[i], bounds[0].shape
        size, offset = block.offset.size, block.offset.reshape(-1)
        low, high = (np.array(bound).reshape(-1, size) for bound in bounds)
        for neurons in slices(size, max(1, NUMBERS // math.prod(block.shape))):
            unit = np.eye(size, dtype=np.float32)[neurons].reshape(-1, *shape[1:])
            rows = block.adjoint(unit)  # of every image
            for image, is_open in enumerate(((low < 0) & (high > 0))[:, neurons]):
                which = np.flatnonzero(is_open)
                found = self._range(tf.gather(rows, which), image, before, box)
                place = which + neurons.start
                least_of, most = (bound + offset[place] for bound in found)
                low[image, place] = np.maximum(low[image, place], least_of)
                high[image, place] = np.minimum(high[image, place], most)
        return tf.reshape(low, shape), tf.reshape(high, shape)

    def _range(
        self, rows: Tensor, image: int, before: Sequence[Lines], box: Box
    ) -> tuple[Floats, Floats]:
        """Return `carried_back` for one image, through the blocks that `before` has lines of."""
        carry = self._compiled[len(before)]
        low, high = carry(rows, [lines.of(image) for lines in before], *(b[image] for b in box))
        return np.asarray(low), np.asarray(high)

    @cached_property
    def _compiled(self) -> list[Callable[..., Box]]:
        """Return `carried_back` of the first 0, 1, 2, ... blocks."""
        return [
            tf.function(
                partial(carried_back, self.blocks[:i]), reduce_retracing=True, autograph=False
            )
            for i in range(len(self.blocks))
        ]


def carried_back(
    blocks: Sequence[Block], rows: Tensor, around: Sequence[Lines], lowest: Tensor, highest: Tensor
) -> Box:
    """Return the least and the largest values of linear functions of inner outputs, for one image.

    Args:
        blocks: those before; a ReLU stands behind each.
        rows: coefficients of the last ReLU's outputs, `(m, ...)`.
        around: the lines around the ReLU behind each block.
        lowest, highest: the pixels' box, `(height, width, channels)`.

    Returns:
        Two tensors `(m,)`.
    """
    centre = radius = tf.zeros(tf.shape(rows)[0])
    for block, (slope, gap) in zip(reversed(blocks), reversed(around), strict=True):
        centre += product(rows, slope * block.offset + gap / 2)
        radius += product(tf.abs(rows), gap / 2)
        rows = block.adjoint(rows * slope)
    centre += product(rows, (lowest + highest) / 2)
    radius += product(tf.abs(rows), (highest - lowest) / 2)
    return centre - radius, centre + radius


def _lines(bounds: Box) -> Lines:
    """Return the lines around ReLUs whose inputs lie in a box."""
    low, high = bounds
    is_open = (low < 0) & (high > 0)
    inside = tf.math.divide_no_nan(high, high - low)
    slope = tf.where(is_open, inside, tf.cast(low >= 0, tf.float32))
    return Lines(slope, tf.where(is_open, -slope * low, 0.0))
