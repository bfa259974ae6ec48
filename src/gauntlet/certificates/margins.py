"""From lower bounds of differences of logits to proofs within Linf budgets and the pixel box.

**Floating point.** Bounds are computed in float32, which rounds to nearest, so a bound may lie on
the wrong side of the true one by the rounding errors of its sums. A proof therefore asks for a
margin of `TOLERANCE` above zero. That is far above the errors that were seen (about 1e-5), and no
proof about rounding: neither of the bounds' own arithmetic, nor of the network's at inference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Flags, Floats, Images, Labels, Tensor
from gauntlet.certificates.blocks import Block, blocks_of
from gauntlet.certificates.proof import Proof, Question, slices

IMAGES = 250
"""Images whose bounds are kept in memory at a time."""

TOLERANCE = 1e-4
"""A true logit must exceed every other one by more than this, in logits."""

Box: TypeAlias = tuple[Tensor, Tensor]
"""The least and the largest value of each number, `(n, ...)` each."""

Margins: TypeAlias = Callable[[Box, Labels], Floats]
"""Lower bounds of the true logit minus each other one, `(n, classes - 1)`, for images in a box."""


def proofs(question: Question, method: Callable[[tuple[Block, ...]], Margins]) -> Iterator[Proof]:
    """Yield what a method proves of a network of affine layers and ReLU, batch by batch.

    Args:
        question: see `Question`; its budgets are in Linf.
        method: from the network's blocks to margins.

    Raises:
        UsageError: the network has other layers.
    """
    margins = method(blocks_of(question.defended.graph, question.images[:IMAGES]))
    for part in slices(len(question.images), IMAGES):
        images, labels = question.images[part], question.labels[part]
        proven = np.zeros((len(question.epsilons), len(images)), bool)
        left = np.arange(len(images))
        # What is not proven within a budget is not tried within a larger one.
        for row, epsilon in zip(proven, question.epsilons, strict=True):
            if not len(left):
                break
            left = left[_exceeds(margins(box_around(images[left], epsilon), labels[left]))]
            row[left] = True
        yield Proof(proven)


def box_around(images: Images, epsilon: float) -> Box:
    """Return the box of all images within a Linf budget whose pixels lie in [0, 1]."""
    return tuple(
        tf.constant(np.clip(images + change, 0, 1), tf.float32) for change in (-epsilon, epsilon)
    )


def differences(labels: Labels, classes: int) -> Floats:
    """Return the rows that take each other logit from the true one, `(n, classes - 1, classes)`."""
    unit = np.eye(classes, dtype=np.float32)
    others = [np.delete(unit, label, axis=0) for label in range(classes)]
    return unit[labels][:, None] - np.stack(others)[labels]


def relu(box: Box) -> Box:
    """Return the box of a ReLU's outputs."""
    low, high = box
    return tf.nn.relu(low), tf.nn.relu(high)


def product(rows: Tensor, other: Tensor) -> Tensor:
    """Return the inner product of each of `rows` `(m, ...)` with a tensor `(...)`, `(m,)`."""
    return tf.linalg.matvec(
        tf.reshape(rows, (-1, math.prod(other.shape))), tf.reshape(other, (-1,))
    )


def _exceeds(margins: Floats) -> Flags:
    return np.asarray((margins > TOLERANCE).all(axis=1))
