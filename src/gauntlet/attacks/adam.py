"""Adam (Kingma and Ba 2015) on a tensor of points: a step that compiles into one pass."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

BETA_1, BETA_2, TINY = 0.9, 0.999, 1e-8
"""As published."""


def step_length(rate: float | Any, k: Any) -> Any:
    """Return the length of step `k`, from 0, with both moments' bias corrected (section 2)."""
    t = tf.cast(k + 1, tf.float32)
    return rate * tf.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)


def adam_step(slope: Any, mean: Any, square: Any, length: Any) -> tuple[Any, Any, Any]:
    """Return the step along a slope, and its first and second moment; shapes as the slope's."""
    mean = BETA_1 * mean + (1 - BETA_1) * slope
    square = BETA_2 * square + (1 - BETA_2) * slope**2
    return length * mean / (tf.sqrt(square) + TINY), mean, square
