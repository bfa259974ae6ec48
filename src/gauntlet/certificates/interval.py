"""Interval bound propagation (Gowal et al. 2018, arXiv 1810.12715).

Each layer's outputs lie in a box, which is computed from the box of the layer before it. The last
affine block is not boxed: the differences of logits are its own linear functions (section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Floats, Labels
from gauntlet.certificates.blocks import Block
from gauntlet.certificates.margins import Box, differences, proofs, relu
from gauntlet.certificates.proof import Proof, Question


def certify(question: Question) -> Iterator[Proof]:
    """Yield which images are proven within each Linf budget.

    Raises:
        UsageError: the network has layers that are neither affine nor ReLU.
    """
    return proofs(question, Intervals)


@dataclass(frozen=True, eq=False)
class Intervals:
    """Margins by intervals.

    Attributes:
        blocks: of the network.
    """

    blocks: tuple[Block, ...]

    def __call__(self, box: Box, labels: Labels) -> Floats:
        """Return lower bounds of the true logit minus each other one, `(n, classes - 1)`."""
        for block in self.blocks[:-1]:
            box = relu(block.interval(*box))
        return self.last(box, labels)

    def last(self, box: Box, labels: Labels) -> Floats:
        """Return the margins, from the box of what goes into the last block."""
        last = self.blocks[-1]
        rows = differences(labels, last.offset.size)
        inner = np.asarray(last.adjoint(tf.reshape(rows, (-1, last.offset.size))))
        inner = inner.reshape(*rows.shape[:2], -1)
        low, high = (np.asarray(bound).reshape(len(labels), -1) for bound in box)
        centre = np.einsum("njp,np->nj", inner, (low + high) / 2) + rows @ last.offset
        radius = np.einsum("njp,np->nj", np.abs(inner), (high - low) / 2)
        return np.asarray(centre - radius)
