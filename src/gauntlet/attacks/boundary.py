"""What decisions tell of a model's decision boundary: where it lies, and which way it faces."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Floats, Images, Labels, Predictions, Tensor
from gauntlet.attacks.base import Box, bounds
from gauntlet.attacks.decisions import Decisions
from gauntlet.attacks.norms import LINF, NORMS
from gauntlet.training.keras_loops import KEPT_MODELS

ROWS = 2048
"""Probes per forward pass: more of them do not fit into the processor's cache."""


class Boundary(NamedTuple):
    """What can be asked of a model, compiled for any number of images of one shape.

    Attributes:
        decide: `(images, labels) -> classes (n,)`; one query each.
        nearest: `(images, labels, points) -> points`, see `nearest`; `bisections` queries each.
        faces: `(points, labels, reaches, probes) -> directions`, see `estimate`; one query each
            and probe.
        bisections: how often `nearest` halves a way.
    """

    decide: Callable[[Images, Labels], Predictions]
    nearest: Callable[[Images, Labels, Images], Images]
    faces: Callable[[Images, Labels, Floats, Images], Images]
    bisections: int


@lru_cache(maxsize=KEPT_MODELS)
def boundary_of(decide: Decisions, shape: tuple[int, ...], norm: str, box: Box) -> Boundary:
    """Compile what can be asked of a model."""
    images, labels = tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.int64)
    reaches, bisections = tf.TensorSpec((None,), tf.float32), halvings(math.prod(shape), norm)
    asked = tf.function(decide, input_signature=[images, labels], autograph=False)
    unconverted = tf.autograph.experimental.do_not_convert(decide)
    searched = tf.function(
        partial(nearest, unconverted, norm, box, bisections),
        input_signature=[images, labels, images],
    )
    probed = tf.function(
        partial(estimate, decide, norm, box),
        input_signature=[images, labels, reaches, images],
        autograph=False,
    )

    def faces(points: Images, labels: Labels, reaches: Floats, probes: Images) -> Images:
        size = max(1, ROWS // len(probes))
        parts = [slice(i, i + size) for i in range(0, len(points), size)]
        shared = tf.constant(probes)
        return np.concatenate([probed(points[p], labels[p], reaches[p], shared) for p in parts])

    return Boundary(
        lambda *given: np.asarray(asked(*given)),
        lambda *given: np.asarray(searched(*given)),
        faces,
        bisections,
    )


def halvings(pixels: int, norm: str) -> int:
    """Return how often a way is halved: to d^(-3/2) of it for L2, d^(-2) for Linf (theta).

    A probe of length r moves by about r / sqrt(d) towards the boundary. A point must lie nearer to
    it than that, or all of its probes would be decided alike.
    """
    return math.ceil(math.log2(pixels) * (1.5 if norm == "l2" else 2))


def towards(norm: str, images: Tensor, points: Tensor, share: Tensor) -> Tensor:
    """Return points of `share` `(n,)` of the distance; 0 is the image, 1 the point itself.

    For L2 they blend both. For Linf each pixel keeps its change up to that share of the largest.
    """
    change, wide = points - images, share[:, None, None, None]
    if norm == "l2":
        return images + wide * change
    return images + LINF.within(change, wide * LINF.size(change))


def nearest(
    decide: Decisions,
    norm: str,
    box: Box,
    times: int,
    images: Tensor,
    labels: Tensor,
    points: Tensor,
) -> Tensor:
    """Bisect the ways from images to misclassified points (algorithm 1); traceable.

    Returns the nearest points that were misclassified, `points` themselves where no other was.
    """
    low, high = bounds(box)
    right, wrong = tf.zeros_like(labels, tf.float32), tf.ones_like(labels, tf.float32)
    found = points
    for _ in tf.range(times):
        middle = (right + wrong) / 2
        # Where both ends are in the box, rounding alone takes a point between them out of it.
        between = tf.clip_by_value(towards(norm, images, points, middle), low, high)
        hit = decide(between, labels) != labels
        right, wrong = tf.where(hit, right, middle), tf.where(hit, middle, wrong)
        found = tf.where(hit[:, None, None, None], between, found)
    return found


def estimate(
    decide: Decisions,
    norm: str,
    box: Box,
    points: Tensor,
    labels: Tensor,
    reaches: Tensor,
    probes: Tensor,
) -> Tensor:
    """Return which way the boundary faces at points next to it; traceable.

    Each probe votes for its own direction if it ends misclassified, else against it. The mean vote
    is subtracted from all, which makes the variance small where the votes are one-sided. What
    votes is the move within the box.

    Args:
        decide: the model's decisions.
        norm: L2 gives unit vectors, Linf signs.
        box: that the probes keep.
        points: `(n, height, width, channels)`.
        labels: true classes `(n,)`.
        reaches: L2 length of the probes of each point, `(n,)`.
        probes: unit vectors `(b, height, width, channels)`, the same for all points.
    """
    n, b = tf.shape(points)[0], tf.shape(probes)[0]
    centres, (low, high) = points[:, None], bounds(box)
    # The change is clipped, not the point: differences of points would round it away.
    moves = reaches[:, None, None, None, None] * probes
    moves = tf.clip_by_value(moves, low - centres, high - centres)
    repeated = tf.repeat(labels, b)
    rows = tf.reshape(centres + moves, (n * b, *points.shape[1:]))
    votes = tf.reshape(tf.where(decide(rows, repeated) != repeated, 1.0, -1.0), (n, b))
    mean = tf.reduce_mean(votes, axis=1, keepdims=True)
    votes = tf.where(tf.abs(mean) == 1, votes, votes - mean)
    return NORMS[norm].steepest(tf.einsum("nb,nbhwc->nhwc", votes, moves))
