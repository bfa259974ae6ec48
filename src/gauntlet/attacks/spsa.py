"""SPSA (Uesato et al. 2018): Adam along gradients that are estimated from queries alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf

from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.adam import adam_step, step_length
from gauntlet.attacks.base import Attack, Batch, Box, Crafted, Logits, bounds
from gauntlet.attacks.gradients import finite, margin, misclassified
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

DELTA = 0.01
"""Distance of a probe in every pixel (appendix A)."""

RATE = 0.01
"""Adam's."""

PROBES = 8192
"""Rows a forward pass: what bounds the memory; more are no faster."""


class _State(NamedTuple):
    images: Any
    labels: Any
    at: Any
    mean: Any
    square: Any
    finished: Any


@dataclass(frozen=True)
class SPSA(Attack):
    """Ascend the margin along differences between opposite probes; a hit stays.

    The probes of a step are shared by all images. As in the paper they leave the box by up to 0.01.

    Attributes:
        steps: of Adam, from the image itself.
        samples: pairs of opposite Rademacher probes a step.
    """

    skips_misclassified: ClassVar[bool] = True

    steps: int
    samples: int

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del state
        size = max(1, PROBES // (2 * self.samples))
        stage = _ascent(logits, self.samples)
        shared = (
            tf.constant([child_seed(seed, "spsa"), 0]),
            tf.constant(epsilon, tf.float32),
            *bounds(box),
        )
        parts, taken = [], 0.0
        for first in range(0, len(batch.images), size):
            chunk = _start(batch.images[first : first + size], batch.labels[first : first + size])
            chunk, steps = run_by_halves(stage, chunk, self.steps, *shared)
            parts.append(chunk.at)
            taken += steps * len(chunk.at)
        queries = taken / len(batch.images) * (1 + 2 * self.samples)
        return Crafted(tf.concat(parts, axis=0), 0, queries)


def _start(images: Any, labels: Any) -> _State:
    nothing = tf.zeros_like(images)
    return _State(images, labels, images, nothing, nothing, tf.zeros(len(images), tf.bool))


@lru_cache(maxsize=KEPT_MODELS)
def _ascent(logits: Logits, samples: int) -> Stage:
    def step(state: _State, k: Any, seed: Any, epsilon: Any, low: Any, high: Any) -> _State:
        hit = state.finished | misclassified(state.labels, logits(state.at, state.labels))
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


def _rademacher(shape: tuple[int, ...], seed: Any) -> Any:
    coins = tf.random.stateless_uniform(shape, seed, 0, 2, tf.int32)
    return tf.cast(2 * coins - 1, tf.float32)


def _slope(logits: Logits, at: Any, labels: Any, probes: Any) -> Any:
    """Return the mean over probes v of (margin(x + delta v) - margin(x - delta v)) / 2 delta v."""
    both = DELTA * tf.concat([probes, -probes], axis=0)
    rows = tf.reshape(at[:, None] + both, (-1, *at.shape[1:]))
    repeated = tf.repeat(labels, len(both))
    losses = tf.reshape(margin(repeated, logits(rows, repeated)), (-1, 2, len(probes)))
    differences = (losses[:, 0] - losses[:, 1]) / (2 * DELTA * len(probes))
    return finite(tf.tensordot(differences, probes, 1))
