"""Backward linear relaxation: Wong and Kolter 2018 (arXiv 1711.00851), Fast-Lin (Weng et al. 2018).

A ReLU whose input z lies between l < 0 and u > 0 lies between two lines of slope s = u / (u - l):
relu(z) = s z + r, where 0 <= r <= -s l. Elsewhere it is the identity or zero, and r is 0. So a
linear function of a layer's outputs is a linear function of the pixels plus one of the remainders r
of all layers before it. It is carried back block by block; in the end the pixels and the remainders
are put at the corners of their boxes.

CROWN (Zhang et al. 2018) allows another slope of the lower line. With the slope 0 or 1, whichever
leaves less between the lines, fewer images of the published network are proven, so the lines are
parallel here, which also gives both bounds in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Floats, Indices, Labels, Tensor
from gauntlet.certificates.blocks import Block
from gauntlet.certificates.interval import Intervals
from gauntlet.certificates.margins import Box, differences, least, product, proofs, relu
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
        slope, gap: `(n, *shape of the layer)`.
    """

    slope: Tensor
    gap: Tensor


Range: TypeAlias = Callable[[Tensor, Tensor, Sequence[Lines], Box], Box]
"""`carried_back` of some blocks, compiled."""


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
            if i:  # of one block alone, intervals are exact
                bounds = self._tightened(i, bounds, before, box)
            before.append(_lines(bounds))
            inner = relu(bounds)
        by_intervals = Intervals(self.blocks).last(inner, labels)
        return np.maximum(self._margins(labels, before, box), by_intervals)

    def _margins(self, labels: Labels, before: Sequence[Lines], box: Box) -> Floats:
        """Return the margins by relaxation alone."""
        last = self.blocks[-1]
        rows = differences(labels, last.offset.shape[0])
        flat = tf.reshape(rows, (-1, rows.shape[2]))
        owners = np.repeat(np.arange(len(labels)), rows.shape[1])
        found = [
            self._ranges[-1](last.adjoint(flat[part]), owners[part], before, box)[0]
            + product(flat[part], last.offset)
            for part in slices(len(owners), self._rows)
        ]
        return np.concatenate(found).reshape(rows.shape[:2])

    def _tightened(self, i: int, bounds: Box, before: Sequence[Lines], box: Box) -> Box:
        """Return the bounds of block `i`'s outputs, from those by intervals, where both intersect.

        Only where the sign of an output is open does its bound matter.
        """
        block = self.blocks[i]
        shape, size = bounds[0].shape, block.offset.size
        low, high = (np.array(bound).reshape(-1, size) for bound in bounds)
        unit, offset = np.eye(size, dtype=np.float32), block.offset.reshape(size)
        for neurons in slices(size, self._rows):
            coefficients = block.adjoint(tf.reshape(unit[neurons], (-1, *shape[1:])))
            which, owners = np.nonzero(((low < 0) & (high > 0)).T[neurons])
            for part in slices(len(owners), self._rows):
                at, mine = owners[part], which[part]
                found = self._ranges[i](tf.gather(coefficients, mine), at, before, box)
                place = at, mine + neurons.start
                least_of, most = (np.asarray(bound) + offset[place[1]] for bound in found)
                low[place] = np.maximum(low[place], least_of)
                high[place] = np.minimum(high[place], most)
        return tf.reshape(low, shape), tf.reshape(high, shape)

    @cached_property
    def _rows(self) -> int:
        """How many functions are carried back at a time."""
        widest = max(int(np.prod(block.shape)) for block in self.blocks)
        return max(1, NUMBERS // widest)

    @cached_property
    def _ranges(self) -> list[Range]:
        """Of each block, what carries functions of its inputs back to the pixels."""
        return [
            tf.function(partial(carried_back, self.blocks[:i]), reduce_retracing=True)
            for i in range(len(self.blocks))
        ]


def carried_back(
    blocks: Sequence[Block], rows: Tensor, owners: Indices, lines: Sequence[Lines], box: Box
) -> Box:
    """Return the least and the largest values of linear functions of a network's inner outputs.

    Args:
        blocks: those before; a ReLU stands behind each.
        rows: coefficients of the last ReLU's outputs, `(m, ...)`.
        owners: index of the image that each function is of, `(m,)`.
        lines: around the ReLU behind each block.
        box: of the pixels of each image.

    Returns:
        Two tensors `(m,)`.
    """
    low = high = tf.zeros(tf.shape(rows)[0])
    for block, around in zip(reversed(blocks), reversed(lines), strict=True):
        gap = tf.gather(around.gap, owners)
        low -= product(tf.nn.relu(-rows), gap)
        high += product(tf.nn.relu(rows), gap)
        rows = rows * tf.gather(around.slope, owners)
        constant = product(rows, block.offset)
        low, high = low + constant, high + constant
        rows = block.adjoint(rows)
    lowest, highest = (tf.gather(bound, owners) for bound in box)
    return low + least(rows, lowest, highest), high - least(-rows, lowest, highest)


def _lines(bounds: Box) -> Lines:
    """Return the lines around ReLUs whose inputs lie in a box."""
    low, high = bounds
    is_open = (low < 0) & (high > 0)
    slope = tf.where(
        is_open, tf.math.divide_no_nan(high, high - low), tf.cast(low >= 0, tf.float32)
    )
    return Lines(slope, tf.where(is_open, -slope * low, 0.0))
