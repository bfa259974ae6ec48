"""Carlini and Wagner's L2 attack (2017, section VI-A), untargeted: the nearest image that is wrong.

Two loops are nested. The outer one is a binary search, image by image, for the constant c that
weighs misclassification against distance. The inner one descends that cost with Adam, in a variable
w whose tanh keeps the image in its box without clipping.
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
from gauntlet.attacks.base import Box, Crafted, Logits, Threat, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import compiled_score, evaluate, finite, margin, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack
from gauntlet.training.keras_loops import KEPT_MODELS

FIRST_CONSTANT, LARGEST_CONSTANT = 1e-2, 1e10
"""First and largest c. The first is cleverhans' 1e-2: with only 5 binary-search steps the authors'
1e-3 would not grow enough."""

IMPROVEMENT = 0.9999
"""An image leaves a search when a tenth of the steps does not lower its cost below this share."""


class _Descent(NamedTuple):
    """What every step changes: `w` to `best` are shaped as the images, all else `(n,)`.

    Attributes:
        w: the variable of the descent.
        mean: Adam's first moment.
        square: Adam's second moment.
        at: the image of `w`, which is evaluated next.
        best: the nearest adversarial image of all searches so far.
        distance: its squared L2 distance; infinite where nothing is found.
        found: whether this search, with its c, has found an adversarial image.
        cost: at the last check, which comes every tenth of the steps.
        stopped: whether the image has left this search.
    """

    w: Tensor
    mean: Tensor
    square: Tensor
    at: Tensor
    best: Tensor
    distance: Tensor
    found: Tensor
    cost: Tensor
    stopped: Tensor


class _Problem(NamedTuple):
    """What a search is given, and does not change.

    Attributes:
        images: the clean images.
        centre: of each image's box, `(n, 1, 1, 1)`.
        radius: of each image's box, `(n, 1, 1, 1)`.
        constant: c of each image, `(n,)`.
    """

    images: Tensor
    centre: Tensor
    radius: Tensor
    constant: Tensor


class _State(NamedTuple):
    problem: _Problem
    labels: Tensor
    descent: _Descent

    @property
    def finished(self) -> Tensor:
        """Which images have left this search."""
        return self.descent.stopped


@dataclass(frozen=True)
class CarliniWagnerL2(MinimumNormAttack):
    """Descend |x' - x|^2 + c max(confidence - margin(x'), 0) over w with Adam.

    x' is centre + radius tanh(w), which covers the box. Each image has its own c. It leaves a
    search early when its own cost stands still; the authors wait for the whole batch. Where there
    is no box, an image stays between its own darkest and brightest pixel.

    Attributes:
        steps: Adam steps per search at most, each one gradient evaluation.
        searches: values of c that are tried per image.
        rate: Adam's learning rate in w.
        confidence: margin >= 0 of logits that an image must reach.
    """

    steps: int
    searches: int
    rate: float
    confidence: float

    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        logits, box, _ = threat
        missed = tf.math.is_inf(compiled_score(logits, margin)(batch.images, batch.labels))
        problem, start = _start(batch.images, *_box(batch.images, box), missed)
        stage = _descending(logits)
        shared = (
            tf.constant(max(self.steps // 10, 1)),
            tf.constant(self.rate, tf.float32),
            tf.constant(self.confidence, tf.float32),
        )
        constant, cost = problem.constant, 0.0
        low, high = tf.zeros_like(constant), tf.fill(missed.shape, np.float32(np.inf))
        best, distance = batch.images, high
        for _ in range(self.searches):
            # Each search descends from the image itself; only the nearest image found is kept.
            descent = start._replace(best=best, distance=distance)
            state = _State(problem._replace(constant=constant), batch.labels, descent)
            state, taken = run_by_halves(stage, state, self.steps, *shared)
            best, distance, found = state.descent.best, state.descent.distance, state.descent.found
            # A c that worked is an upper bound of the least one that works, another a lower bound.
            # Between two bounds c is their mean; as long as none has worked, it grows tenfold.
            low, high = tf.where(found, low, constant), tf.where(found, constant, high)
            middle = tf.where(tf.math.is_inf(high), 10 * constant, (low + high) / 2)
            constant, cost = tf.minimum(middle, LARGEST_CONSTANT), cost + taken
        return Crafted(best, cost, 1)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, margin, batches)


def _box(images: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """Return centre and radius of each image's box, `(n, 1, 1, 1)`."""
    low, high = (
        limit(images, axis=[1, 2, 3], keepdims=True) for limit in (tf.reduce_min, tf.reduce_max)
    )
    if box is not None:
        low, high = tf.fill(low.shape, box[0]), tf.fill(high.shape, box[1])
    return (low + high) / 2, (high - low) / 2


def _start(
    images: Tensor, centre: Tensor, radius: Tensor, missed: Tensor
) -> tuple[_Problem, _Descent]:
    """Return where every search begins; images that are misclassified already take no part."""
    # atanh is infinite at the edge of the box, where most pixels lie; the authors shrink it so.
    inside = 0.999999 * tf.math.divide_no_nan(images - centre, radius)
    nothing, far = tf.zeros_like(images), tf.fill(missed.shape, np.float32(np.inf))
    descent = _Descent(
        w=tf.atanh(inside),
        mean=nothing,
        square=nothing,
        at=centre + radius * inside,
        best=images,
        distance=far,
        found=tf.zeros_like(missed),
        cost=far,
        stopped=missed,
    )
    return _Problem(images, centre, radius, tf.fill(missed.shape, FIRST_CONSTANT)), descent


@lru_cache(maxsize=KEPT_MODELS)
def _descending(logits: Logits) -> Stage:
    """Compile the loop of one search. A step evaluates `at`, judges it and moves on."""

    def step(state: _State, k: Tensor, tenth: Tensor, rate: Tensor, confidence: Tensor) -> _State:
        problem, labels, descent = state
        gradient, value, hit = evaluate(logits, margin, descent.at, labels)
        length = step_length(rate, k)
        descent = _judged(problem, descent, value, hit, k % tenth == 0, confidence)
        # Beyond the confidence, max(confidence - margin, 0) is 0 and has no gradient.
        active = problem.constant * tf.cast(value < confidence, tf.float32)
        return _State(problem, labels, _descended(problem, descent, gradient, active, length))

    return compile_stage(step)


def _judged(
    problem: _Problem,
    descent: _Descent,
    value: Tensor,
    hit: Tensor,
    check: Tensor,
    confidence: Tensor,
) -> _Descent:
    """Keep a point that is wrong and nearer; stop an image whose cost stands still.

    `value` is the margin `(n,)`, `hit` whether the prediction is wrong `(n,)`, `check` whether a
    tenth of the steps has passed.
    """
    distance = tf.reduce_sum((descent.at - problem.images) ** 2, axis=[1, 2, 3])
    cost = distance + problem.constant * tf.maximum(confidence - value, 0)
    wrong = hit & (value >= confidence) & ~descent.stopped
    nearer = wrong & (distance < descent.distance)
    return descent._replace(
        best=tf.where(nearer[:, None, None, None], descent.at, descent.best),
        distance=tf.where(nearer, distance, descent.distance),
        found=descent.found | wrong,
        cost=tf.where(check, cost, descent.cost),
        stopped=descent.stopped | (check & (cost > IMPROVEMENT * descent.cost)),
    )


def _descended(
    problem: _Problem, descent: _Descent, gradient: Tensor, weight: Tensor, length: Tensor
) -> _Descent:
    """Take one step.

    `tanh` is evaluated outside the XLA function: XLA's CPU version is single-threaded and many
    times slower.
    """
    w, mean, square = _adam(problem, descent, tf.tanh(descent.w), gradient, weight, length)
    at = problem.centre + problem.radius * tf.tanh(w)
    return descent._replace(w=w, mean=mean, square=square, at=at)


@one_pass
def _adam(
    problem: _Problem,
    descent: _Descent,
    tanh: Tensor,
    gradient: Tensor,
    weight: Tensor,
    length: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Take one step of Adam in w; return the new w and both moments.

    By the chain rule, d cost / d w = (2 (x' - x) - weight d margin / d x') radius (1 - tanh(w)^2).
    """
    away = 2 * (descent.at - problem.images) - weight[:, None, None, None] * finite(gradient)
    slope = away * problem.radius * (1 - tanh**2)
    step, mean, square = adam_step(slope, descent.mean, descent.square, length)
    return descent.w - step, mean, square
