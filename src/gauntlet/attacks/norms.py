"""Norms of changes: what lies within a budget, what a step of size 1 is, what a random change is.

Shapes are those of images, `(n, height, width, channels)`, unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.batch import Batch
from gauntlet.seeding import child_seed

PIXELS = (1, 2, 3)
"""The axes of one image."""


@dataclass(frozen=True)
class Norm:
    """A norm of changes, as attacks need it. All functions but the random ones are traceable.

    Attributes:
        name: as a config and a sentence give it.
        size: from changes to their norms `(n, 1, 1, 1)`.
        within: `(changes, epsilon)` -> the nearest changes whose norm is at most epsilon.
        steepest: from finite gradients to the changes of norm 1 along which a linear loss rises
            most; 0 where the whole gradient is 0.
        direction_type: in which these are kept.
        far: `(batch, seed, epsilon)` -> random changes of norm epsilon.
        anywhere: `(batch, seed, epsilon)` -> random changes, uniform in the ball.
    """

    name: str
    size: Callable[[Tensor], Tensor]
    within: Callable[[Tensor, Tensor], Tensor]
    steepest: Callable[[Tensor], Tensor]
    direction_type: tf.DType
    far: Callable[[Batch, int, float], Tensor]
    anywhere: Callable[[Batch, int, float], Tensor]


def _largest(changes: Tensor) -> Tensor:
    return tf.reduce_max(tf.abs(changes), axis=PIXELS, keepdims=True)


def _euclidean(changes: Tensor) -> Tensor:
    return tf.sqrt(tf.reduce_sum(changes * changes, axis=PIXELS, keepdims=True))


def _clipped(changes: Tensor, epsilon: Tensor) -> Tensor:
    return tf.clip_by_value(changes, -epsilon, epsilon)


def _shortened(changes: Tensor, epsilon: Tensor) -> Tensor:
    return changes * tf.minimum(1.0, tf.math.divide_no_nan(epsilon, _euclidean(changes)))


def _unit(gradients: Tensor) -> Tensor:
    # By the largest pixel first: in float32 the squares of a small gradient are 0.
    scaled = tf.math.divide_no_nan(gradients, _largest(gradients))
    return tf.math.divide_no_nan(scaled, _euclidean(scaled))


def _on_the_cube(batch: Batch, seed: int, epsilon: float) -> Tensor:
    noise = batch.uniform(seed)
    return epsilon * noise / _largest(noise)


def _in_the_cube(batch: Batch, seed: int, epsilon: float) -> Tensor:
    return epsilon * batch.uniform(seed)


def _on_the_sphere(batch: Batch, seed: int, epsilon: float) -> Tensor:
    # Normal numbers point everywhere alike; the inverse of their distribution makes them of uniform
    # ones, which do not depend on the batch size. float32 rounds some of these to 1: infinity.
    noise = tf.clip_by_value(batch.uniform(seed), -1 + 1e-6, 1 - 1e-6)
    return epsilon * _unit(tf.math.erfinv(noise))


def _in_the_sphere(batch: Batch, seed: int, epsilon: float) -> Tensor:
    # The share of the ball within radius r is r^d, d the number of pixels.
    share = (1 + batch.uniform(child_seed(seed, "radius"))[:, :1, :1, :1]) / 2
    radius = share ** (1 / math.prod(batch.images.shape[1:]))
    return radius * _on_the_sphere(batch, seed, epsilon)


LINF = Norm(
    name="linf",
    size=_largest,
    within=_clipped,
    steepest=tf.sign,
    direction_type=tf.int8,
    far=_on_the_cube,
    anywhere=_in_the_cube,
)
L2 = Norm(
    name="l2",
    size=_euclidean,
    within=_shortened,
    steepest=_unit,
    direction_type=tf.float32,
    far=_on_the_sphere,
    anywhere=_in_the_sphere,
)

NORMS: Mapping[str, Norm] = {norm.name: norm for norm in (LINF, L2)}
"""By the name that a config gives."""
