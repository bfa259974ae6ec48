"""C&W L2 (Carlini and Wagner 2017, section VI-A), untargeted: the nearest image that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.adam import adam_step, step_length
from gauntlet.attacks.base import Batch, Box, Crafted, Logits, one_pass
from gauntlet.attacks.gradients import compiled_score, evaluate, finite, margin, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack
from gauntlet.training.keras_loops import KEPT_MODELS

FIRST_CONSTANT, LARGEST_CONSTANT = 1e-2, 1e10
"""Of the search: cleverhans' first one, as its 5 searches leave the authors' 1e-3 no time."""

IMPROVEMENT = 0.9999
"""A search ends where a tenth of its steps lowers the cost by less than this factor."""


class _Descent(NamedTuple):
    """What every step writes anew: `best` and above as the images, all else `(n,)`."""

    w: Any
    mean: Any
    square: Any
    at: Any
    best: Any
    distance: Any  # of `best`, squared; infinite: nothing found
    found: Any  # in this search
    cost: Any  # a tenth of the steps ago
    stopped: Any


class _Problem(NamedTuple):
    """What a search is given."""

    images: Any
    centre: Any  # of the box, (n, 1, 1, 1)
    radius: Any  # of the box, (n, 1, 1, 1)
    constant: Any


class _State(NamedTuple):
    problem: _Problem
    labels: Any
    descent: _Descent

    @property
    def finished(self) -> Any:
        """Which images have left this search."""
        return self.descent.stopped


@dataclass(frozen=True)
class CarliniWagnerL2(MinimumNormAttack):
    """Descend |x' - x|^2 + c max(confidence - margin(x'), 0) over w, x' = box(tanh w), with Adam.

    A binary search an image finds its c. An image leaves a search early when its own cost, not that
    of a batch, stands still. Where there is no box, an image keeps between its own darkest and
    brightest pixel.

    Attributes:
        steps: Adam steps a search at most, each one gradient evaluation.
        searches: values of c that are tried.
        rate: Adam's learning rate in w.
        confidence: margin >= 0 of logits that an image must reach.
    """

    steps: int
    searches: int
    rate: float
    confidence: float

    def _search(self, logits: Logits, batch: Batch, box: Box, seed: int) -> Crafted:
        del seed
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
            descent = start._replace(best=best, distance=distance)
            state = _State(problem._replace(constant=constant), batch.labels, descent)
            state, taken = run_by_halves(stage, state, self.steps, *shared)
            best, distance, found = state.descent.best, state.descent.distance, state.descent.found
            low, high = tf.where(found, low, constant), tf.where(found, constant, high)
            middle = tf.where(tf.math.is_inf(high), 10 * constant, (low + high) / 2)
            constant, cost = tf.minimum(middle, LARGEST_CONSTANT), cost + taken
        return Crafted(best, cost, 1)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any]:
        return slopes(logits, margin, batches)


def _box(images: Any, box: Box) -> tuple[Any, Any]:
    """Return centre and radius of each image's box, `(n, 1, 1, 1)`."""
    low, high = (
        limit(images, axis=[1, 2, 3], keepdims=True) for limit in (tf.reduce_min, tf.reduce_max)
    )
    if box is not None:
        low, high = tf.fill(low.shape, box[0]), tf.fill(high.shape, box[1])
    return (low + high) / 2, (high - low) / 2


def _start(images: Any, centre: Any, radius: Any, missed: Any) -> tuple[_Problem, _Descent]:
    """Return where every search begins; what is misclassified already takes no part."""
    # As the authors: atanh is infinite at the edge of the box, where most pixels lie.
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
    def step(state: _State, k: Any, tenth: Any, rate: Any, confidence: Any) -> _State:
        problem, labels, descent = state
        gradient, value, hit = evaluate(logits, margin, descent.at, labels)
        length = step_length(rate, k)
        descent = _judged(problem, descent, value, hit, k % tenth == 0, confidence)
        active = problem.constant * tf.cast(value < confidence, tf.float32)
        return _State(problem, labels, _descended(problem, descent, gradient, active, length))

    return compile_stage(step)


def _judged(
    problem: _Problem, descent: _Descent, value: Any, hit: Any, check: Any, confidence: Any
) -> _Descent:
    """Keep a point that is wrong and nearer; stop an image whose cost stands still."""
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
    problem: _Problem, descent: _Descent, gradient: Any, weight: Any, length: Any
) -> _Descent:
    """Take one step; tanh stands outside of XLA, whose own takes one thread and many times."""
    w, mean, square = _adam(problem, descent, tf.tanh(descent.w), gradient, weight, length)
    at = problem.centre + problem.radius * tf.tanh(w)
    return descent._replace(w=w, mean=mean, square=square, at=at)


@one_pass
def _adam(
    problem: _Problem, descent: _Descent, tanh: Any, gradient: Any, weight: Any, length: Any
) -> tuple[Any, Any, Any]:
    """One step of Adam in w, along the cost's gradient, by the chain rule through tanh."""
    away = 2 * (descent.at - problem.images) - weight[:, None, None, None] * finite(gradient)
    slope = away * problem.radius * (1 - tanh**2)
    step, mean, square = adam_step(slope, descent.mean, descent.square, length)
    return descent.w - step, mean, square
