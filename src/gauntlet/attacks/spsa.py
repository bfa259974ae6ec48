"""SPSA (Uesato et al. 2018): Adam along gradients that are estimated from queries alone.

If the image moves by a random sign per pixel, times a small delta, and the loss changes by d, then
d / delta times these signs is a rough estimate of the gradient. The mean of many such estimates is
a good one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.adam import adam_step, step_length
from gauntlet.attacks.base import Attack, Crafted, Logits, Threat, bounds
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import finite, margin, misclassified
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

DELTA = 0.01
"""How far a probe moves every pixel (appendix A)."""

RATE = 0.01
"""Adam's learning rate."""

PROBES = 8192
"""Rows per forward pass. This bounds the memory; more rows are no faster."""


class _State(NamedTuple):
    """What every step is given: `at`, `mean` and `square` (of Adam) are shaped as the images."""

    images: Tensor
    labels: Tensor
    at: Tensor
    mean: Tensor
    square: Tensor
    finished: Tensor


@dataclass(frozen=True)
class SPSA(Attack):
    """Ascend the margin along differences between opposite probes; an image that is hit stays.

    All images share the probes of a step. As in the paper, probes may leave the box, by up to 0.01.

    Attributes:
        steps: steps of Adam, from the clean image.
        samples: pairs of opposite Rademacher probes per step.
    """

    steps: int
    samples: int

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        logits, box, seed = threat
        size = max(1, PROBES // (2 * self.samples))
        stage = _ascent(logits, self.samples)
        shared = (
            tf.constant([child_seed(seed, "spsa"), 0]),
            tf.constant(epsilon, tf.float32),
            *bounds(box),
        )
        # Each image of a chunk makes 2 * samples rows of a forward pass.
        parts, taken = [], 0.0
        for first in range(0, len(batch.images), size):
            chunk = _start(batch.images[first : first + size], batch.labels[first : first + size])
            chunk, steps = run_by_halves(stage, chunk, self.steps, *shared)
            parts.append(chunk.at)
            taken += steps * len(chunk.at)
        # Per step: the probes, and a look whether the point is a hit.
        queries = taken / len(batch.images) * (1 + 2 * self.samples)
        return Crafted(tf.concat(parts, axis=0), 0, queries)


def _start(images: Tensor, labels: Tensor) -> _State:
    nothing = tf.zeros_like(images)
    return _State(images, labels, images, nothing, nothing, tf.zeros(len(images), tf.bool))


@lru_cache(maxsize=KEPT_MODELS)
def _ascent(logits: Logits, samples: int) -> Stage:
    """Compile the loop. A step drops what is a hit already, then moves the others."""

    def step(
        state: _State, k: Tensor, seed: Tensor, epsilon: Tensor, low: Tensor, high: Tensor
    ) -> _State:
        hit = state.finished | misclassified(state.labels, logits(state.at, state.labels))
        # The seed's second number counts steps, so each step has probes of its own.
        probes = _rademacher((samples, *state.at.shape[1:]), seed + tf.stack([0, k]))
        slope = _slope(logits, state.at, state.labels, probes)
        length = step_length(RATE, k)
        step, mean, square = adam_step(slope, state.mean, state.square, length)
        moved = state.at + step - state.images
        moved = tf.clip_by_value(
            state.images + tf.clip_by_value(moved, -epsilon, epsilon), low, high
        )
        at = tf.where(hit[:, None, None, None], state.at, moved)
        return _State(state.images, state.labels, at, mean, square, hit)

    return compile_stage(step)


def _rademacher(shape: tuple[int, ...], seed: Tensor) -> Tensor:
    """Draw -1 or 1 with equal probability."""
    coins = tf.random.stateless_uniform(shape, seed, 0, 2, tf.int32)
    return tf.cast(2 * coins - 1, tf.float32)


def _slope(logits: Logits, at: Tensor, labels: Tensor, probes: Tensor) -> Tensor:
    """Estimate the margin's gradient at each image, shaped as the images (algorithm 1).

    It is the mean over probes v of v (margin(x + delta v) - margin(x - delta v)) / (2 delta). The
    paper divides by v, which is the same for signs. `probes` are `(samples, height, width,
    channels)`.
    """
    # One forward pass: for each image the rows x + delta v for all v, then x - delta v.
    both = DELTA * tf.concat([probes, -probes], axis=0)
    rows = tf.reshape(at[:, None] + both, (-1, *at.shape[1:]))
    samples = probes.shape[0]
    repeated = tf.repeat(labels, 2 * samples)
    losses = tf.reshape(margin(repeated, logits(rows, repeated)), (-1, 2, samples))
    differences = (losses[:, 0] - losses[:, 1]) / (2 * DELTA * samples)
    return finite(tf.tensordot(differences, probes, 1))
