"""sigma-zero (Cinà et al. 2025, arXiv:2402.01879): as few changed pixels as possible, by gradients.

The number of changed pixels has no gradient. A smooth stand-in for it is descended together with
the margin, and after each step the smallest changes drop to 0. The size below which they drop rises
while the image is misclassified and falls while it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.adam import adam_step, step_length
from gauntlet.attacks.base import Crafted, Logits, Threat, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import evaluate, finite, margin, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack
from gauntlet.attacks.pixel_limits import pixel_limits
from gauntlet.training.keras_loops import KEPT_MODELS

SMOOTHNESS = 1e-3
"""Sigma: a change c, as a share of the range, counts as c^2 / (c^2 + sigma) pixels."""

LEAST, ADAPTED = 0.3, 0.01
"""The first tau; how much it changes per step, times the learning rate."""

FIRST_RATE, LAST_RATE = 1.0, 0.1
"""Learning rates of Adam, in ranges of the pixels."""


class _Problem(NamedTuple):
    """What no step changes.

    Attributes:
        images: the clean images.
        labels: true classes `(n,)`.
        low: lowest value of each image's pixels, `(n, 1, 1, 1)`.
        high: highest value.
    """

    images: Tensor
    labels: Tensor
    low: Tensor
    high: Tensor


class _Descent(NamedTuple):
    """What every step changes: the first four are shaped as the images, the last two `(n,)`.

    Attributes:
        at: the point that is evaluated next.
        mean: Adam's first moment.
        square: Adam's second moment.
        best: the misclassified point with the fewest changed pixels.
        fewest: their number; infinite where nothing is found.
        least: the smallest change that is not dropped, as a share of the range (tau).
    """

    at: Tensor
    mean: Tensor
    square: Tensor
    best: Tensor
    fewest: Tensor
    least: Tensor


class _State(NamedTuple):
    problem: _Problem
    descent: _Descent

    @property
    def finished(self) -> Tensor:
        """Which images have a single changed pixel, or none: no later step finds fewer."""
        return self.descent.fewest <= 1


@dataclass(frozen=True)
class SigmaZero(MinimumNormAttack):
    """Descend max(-margin, 0) + the smooth share of changed pixels, by Adam; drop small changes.

    Each channel counts as a pixel of its own. The learning rate falls along a cosine. Without a
    box, an image stays between its own darkest and brightest pixel.

    Attributes:
        steps: each one gradient evaluation.
    """

    steps: int

    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        logits, box, _ = threat
        limits = map(tf.constant, pixel_limits(np.asarray(batch.images), box))
        problem = _Problem(batch.images, batch.labels, *limits)
        start = _State(problem, _start(batch.images))
        state, taken = run_by_halves(_descending(logits), start, self.steps, _rates(self.steps))
        return Crafted(state.descent.best, taken, 0)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, margin, batches)


def _start(images: Tensor) -> _Descent:
    """Return where the descent begins: at the images, of which nothing is known yet."""
    nothing, each = tf.zeros_like(images), tf.zeros(len(images))
    return _Descent(images, nothing, nothing, images, each + np.inf, each + LEAST)


def _rates(steps: int) -> Tensor:
    """Return the learning rates of all steps, and the one after them, `(steps + 1,)`."""
    turn = np.pi * np.arange(steps + 1) / steps
    return tf.constant(LAST_RATE + (FIRST_RATE - LAST_RATE) * (1 + np.cos(turn)) / 2, tf.float32)


@lru_cache(maxsize=KEPT_MODELS)
def _descending(logits: Logits) -> Stage:
    """Compile the loop of the descent. A step evaluates `at`, judges it and moves on."""

    def step(state: _State, k: Tensor, rates: Tensor) -> _State:
        problem, descent = state
        gradient, _, hit = evaluate(logits, margin, descent.at, problem.labels)
        descent = _judged(problem, descent, hit)
        length = step_length(rates[k], k)
        return _State(problem, _moved(problem, descent, gradient, hit, length, rates[k + 1]))

    return compile_stage(step)


def _judged(problem: _Problem, descent: _Descent, hit: Tensor) -> _Descent:
    """Keep a misclassified point if it has fewer changed pixels than the best."""
    changed = tf.math.count_nonzero(descent.at != problem.images, [1, 2, 3], dtype=tf.int32)
    changed = tf.cast(changed, tf.float32)
    better = hit & (changed < descent.fewest)
    return descent._replace(
        best=tf.where(better[:, None, None, None], descent.at, descent.best),
        fewest=tf.where(better, changed, descent.fewest),
    )


@one_pass
def _moved(
    problem: _Problem,
    descent: _Descent,
    gradient: Tensor,
    hit: Tensor,
    length: Tensor,
    rate: Tensor,
) -> _Descent:
    """Take one step, and put back the pixels that have changed by less than tau.

    `gradient` is the margin's at `at`; `hit` `(n,)` tells where `at` is misclassified, `length` is
    Adam's, `rate` the learning rate of the next step.
    """
    images, _, low, high = problem
    scale, wide = high - low, hit[:, None, None, None]
    change = tf.math.divide_no_nan(descent.at - images, scale)
    # The share of changed pixels, and the margin as long as it is not positive; both by `change`.
    slope = 2 * SMOOTHNESS * change / (change**2 + SMOOTHNESS) ** 2 / np.prod(images.shape[1:])
    slope -= tf.where(wide, 0.0, scale * finite(gradient))
    largest = tf.reduce_max(tf.abs(slope), axis=[1, 2, 3], keepdims=True)
    slope = tf.math.divide_no_nan(slope, largest)
    step, mean, square = adam_step(slope, descent.mean, descent.square, length)
    moved = tf.clip_by_value(descent.at - scale * step, low, high)
    least = tf.clip_by_value(descent.least + tf.where(hit, ADAPTED, -ADAPTED) * rate, 0.0, 1.0)
    dropped = tf.abs(moved - images) < least[:, None, None, None] * scale
    at = tf.where(dropped, images, moved)
    return descent._replace(at=at, mean=mean, square=square, least=least)
