"""APGD (Croce and Hein 2020, algorithm 1): PGD that chooses its own step size, image by image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.base import Attack, Batch, Box, Crafted, Logits, bounds, clip_to, one_pass
from gauntlet.attacks.gradients import LOSSES, Loss, compiled_score, evaluate, finite, slopes
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

MOMENTUM = 0.75
"""Share of the new step; the rest goes on along the last one (equation 2)."""

ENOUGH_RISES = 0.75
"""Share of the steps since the last checkpoint that must have raised the loss (condition 1)."""


class _Climb(NamedTuple):
    """What every step writes anew: points and directions as the images, all else `(n,)`."""

    at: Any
    before: Any
    best: Any
    best_direction: Any  # signs in bytes: a step is as fast as memory is
    best_loss: Any  # infinite: hit
    loss: Any
    checked_loss: Any  # best_loss at the last checkpoint
    rises: Any  # since the last checkpoint
    halved: Any  # at the last checkpoint
    step: Any


class _State(NamedTuple):
    images: Any
    labels: Any
    climb: _Climb
    finished: Any


@dataclass(frozen=True)
class AutoPGD(Attack):
    """Ascend with momentum from 2 epsilon; halve the step, from the best point, when it stalls.

    An image keeps its first hit; without one, the point of highest loss, itself included. Hits are
    dropped, so restarts cost only for images that stand.

    Attributes:
        loss: name in `LOSSES`; `cross_entropy` is APGD-CE, `dlr` APGD-DLR (of two classes the
            margin).
        steps: steps a restart, each judged by the gradient at its end: `steps` + 1 evaluations.
        restarts: random starts, each with a pixel at distance epsilon.
    """

    skips_misclassified: ClassVar[bool] = True

    loss: str
    steps: int
    restarts: int

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del state
        loss = LOSSES[self.loss]
        stage = _ascent(logits, loss)
        shared = (_gaps(self.steps), tf.constant(epsilon, tf.float32), *bounds(box))
        best, cost = batch.images, 0.0
        best_loss = compiled_score(logits, loss)(best, batch.labels)
        for restart in range(self.restarts):
            start = _start(batch, epsilon, box, child_seed(seed, "apgd", str(restart)))
            foot = _foot(start, best_loss, 2 * epsilon)
            state = _State(batch.images, batch.labels, foot, tf.math.is_inf(best_loss))
            state, taken = run_by_halves(stage, state, self.steps + 1, *shared)
            better = state.climb.best_loss > best_loss
            best = tf.where(_wide(better), state.climb.best, best)
            best_loss = tf.where(better, state.climb.best_loss, best_loss)
            cost += taken
        return Crafted(best, cost, 1)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any]:
        return slopes(logits, LOSSES[self.loss], batches)


def checkpoints(steps: int) -> Sequence[int]:
    """Return the steps at which the step size is decided, as the authors' code rounds them.

    The first after 0.22 of all steps; each gap is 0.03 shorter than the last, down to 0.06.
    """
    gap, shorter, shortest = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    at = [gap]
    while at[-1] < steps:
        gap = max(gap - shorter, shortest)
        at.append(at[-1] + gap)
    return [k for k in at if k <= steps]


def _gaps(steps: int) -> Any:
    """Return for each point how many steps its checkpoint looks back on; 0: no checkpoint."""
    at = checkpoints(steps)
    gaps = np.zeros(steps + 1, np.float32)
    gaps[at] = np.diff([0, *at])
    return tf.constant(gaps)


def _start(batch: Batch, epsilon: float, box: Box, seed: int) -> Any:
    noise = batch.uniform(seed)
    largest = tf.reduce_max(tf.abs(noise), axis=[1, 2, 3], keepdims=True)
    return clip_to(box, batch.images + epsilon * noise / largest)


def _foot(start: Any, best_loss: Any, step: float) -> _Climb:
    """Return where a run begins; what was hit already stays hit."""
    hit = tf.math.is_inf(best_loss)
    nothing = tf.zeros_like(best_loss)
    return _Climb(
        at=start,
        before=start,
        best=start,
        best_direction=tf.zeros_like(start, tf.int8),
        best_loss=tf.where(hit, best_loss, -np.inf),
        loss=nothing + np.inf,
        checked_loss=nothing,
        rises=nothing,
        halved=tf.ones_like(hit),
        step=nothing + step,
    )


@lru_cache(maxsize=KEPT_MODELS)
def _ascent(logits: Logits, loss: Loss) -> Stage:
    def step(state: _State, k: Any, gaps: Any, epsilon: Any, low: Any, high: Any) -> _State:
        gradient, value, hit = evaluate(logits, loss, state.climb.at, state.labels)
        value = tf.where(hit, np.float32(np.inf), value)
        share = tf.where(k == 0, 1.0, MOMENTUM)
        climb = _climbed(
            state.images, state.climb, gradient, value, gaps[k], share, epsilon, low, high
        )
        return _State(state.images, state.labels, climb, state.finished | hit)

    return compile_stage(step)


@one_pass
def _climbed(
    images: Any,
    climb: _Climb,
    gradient: Any,
    loss: Any,
    gap: Any,
    share: Any,
    epsilon: Any,
    low: Any,
    high: Any,
) -> _Climb:
    """Take in the loss and the gradient at a point, and step on from it or from the best."""
    direction = tf.cast(tf.sign(finite(gradient)), tf.int8)
    climb, direction = _checked(_noted(climb, direction, loss), direction, gap)

    def projected(x: Any) -> Any:
        return tf.clip_by_value(images + tf.clip_by_value(x - images, -epsilon, epsilon), low, high)

    aim = projected(climb.at + _wide(climb.step) * tf.cast(direction, tf.float32))
    moved = climb.at + share * (aim - climb.at) + (1 - share) * (climb.at - climb.before)
    return climb._replace(at=projected(moved), before=climb.at)


def _noted(climb: _Climb, direction: Any, loss: Any) -> _Climb:
    """Keep the point if it is the best so far."""
    better = loss > climb.best_loss
    return climb._replace(
        best=tf.where(_wide(better), climb.at, climb.best),
        best_direction=tf.where(_wide(better), direction, climb.best_direction),
        best_loss=tf.where(better, loss, climb.best_loss),
        loss=loss,
        rises=climb.rises + tf.cast(loss > climb.loss, tf.float32),
    )


def _checked(climb: _Climb, direction: Any, gap: Any) -> tuple[_Climb, Any]:
    """At a checkpoint halve the step and return to the best point, where the loss stalls."""
    few_rises = climb.rises <= ENOUGH_RISES * gap
    no_better = ~climb.halved & (climb.best_loss <= climb.checked_loss)
    checked = gap > 0
    halve = checked & (few_rises | no_better)
    climb = climb._replace(
        at=tf.where(_wide(halve), climb.best, climb.at),
        step=tf.where(halve, climb.step / 2, climb.step),
        halved=tf.where(checked, halve, climb.halved),
        checked_loss=tf.where(checked, climb.best_loss, climb.checked_loss),
        rises=tf.where(checked, 0.0, climb.rises),
    )
    return climb, tf.where(_wide(halve), climb.best_direction, direction)


def _wide(each: Any) -> Any:
    """Return `(n,)` as `(n, 1, 1, 1)`."""
    return each[:, None, None, None]
