"""The check of what an attack promises: its images keep the budget and the box."""

from __future__ import annotations

import math

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.norms import LINF, Norm

TOLERANCE = 1e-6
"""Allowed float32 rounding error."""


def check_kept(
    name: str,
    norm: Norm,
    adversarial: Tensor,
    images: Tensor,
    epsilon: float,
    low: Tensor,
    high: Tensor,
) -> None:
    """Check that images are within a budget and the box.

    Args:
        name: of the attack, for the error.
        norm: of the budget.
        adversarial: what the attack made of `images`.
        images: `(n, height, width, channels)`.
        epsilon: the budget.
        low, high: of the box, infinite where there is none.

    Raises:
        AssertionError: they are not.
    """
    reach = epsilon + TOLERANCE * _scale(norm, adversarial, epsilon, low)
    # In Linf one pass decides. In other norms it decides on the box alone, for no pixel of a change
    # is larger than its norm.
    far = norm is not LINF and not tf.reduce_all(norm.size(adversarial - images) <= reach)
    if far or not tf.reduce_min(_kept(adversarial, images, tf.constant(reach), low, high)):
        # The parts of the message are computed only for a failure.
        moved = float(tf.reduce_max(norm.size(adversarial - images)))
        if not moved <= reach:  # true for NaN too
            what = "a pixel" if norm is LINF else f"an image, in {norm.name},"
            raise AssertionError(f"{name} moved {what} by {moved}, beyond epsilon {epsilon}")
        box = (float(low), float(high))
        ends = float(tf.reduce_min(adversarial)), float(tf.reduce_max(adversarial))
        raise AssertionError(f"{name} left the box {box}: {ends[0]} to {ends[1]}")


def _scale(norm: Norm, adversarial: Tensor, epsilon: float, low: Tensor) -> float:
    """Return how many times larger than for values in [0, 1] a rounding error may be.

    Without a box, values may be large, and float32 rounds them more coarsely; a norm that adds
    pixels up is rounded as coarsely as it is large.
    """
    largest = 1.0 if math.isfinite(low) else float(tf.reduce_max(tf.abs(adversarial)))
    return max(1.0, largest, 0.0 if norm is LINF else epsilon)


@tf.function(jit_compile=True, autograph=False)
def _kept(adversarial: Tensor, images: Tensor, reach: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Tell for each pixel whether it is within reach of the image and inside the box: 1 or 0."""
    inside = (adversarial >= low) & (adversarial <= high)
    return tf.cast(inside & (tf.abs(adversarial - images) <= reach), tf.uint8)
