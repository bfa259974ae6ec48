"""Adam (Kingma and Ba 2015) on a tensor of points: a step that compiles into one pass."""

from __future__ import annotations

import tensorflow as tf

from gauntlet.arrays import Tensor

BETA_1, BETA_2, TINY = 0.9, 0.999, 1e-8
"""Decay of the two moments and the smallest divisor, as published (algorithm 1)."""


def step_length(rate: float | Tensor, k: Tensor) -> Tensor:
    """Return the length of step `k`, from 0, with both moments' bias corrected (end of section 2).

    The moments start at 0 and are too small at first; this factor makes up for it.
    """
    t = tf.cast(k + 1, tf.float32)
    return rate * tf.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)


def adam_step(
    slope: Tensor, mean: Tensor, square: Tensor, length: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the step along a slope, and its new first and second moment; all of one shape."""
    mean = BETA_1 * mean + (1 - BETA_1) * slope
    square = BETA_2 * square + (1 - BETA_2) * slope**2
    return length * mean / (tf.sqrt(square) + TINY), mean, square
