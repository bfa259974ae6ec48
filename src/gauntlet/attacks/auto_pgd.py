"""APGD (Croce and Hein 2020, algorithm 1): PGD that chooses the step size of each image itself.

It steps along signs with momentum. At a few checkpoints it asks whether the loss of an image still
rises; where it does not, the step is halved and the search goes on from the best point so far.
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
from gauntlet.attacks.base import Attack, Box, Crafted, Logits, Threat, bounds, clip_to, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import LOSSES, Loss, compiled_score, evaluate, finite, slopes
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

MOMENTUM = 0.75
"""Weight of the new step; the last step has the rest (alpha of equation 2)."""

ENOUGH_RISES = 0.75
"""Share of the steps since the last checkpoint that must raise the loss (rho of condition 1)."""


class _Climb(NamedTuple):
    """What every step changes: points and directions shaped as the images, all else `(n,)`.

    Attributes:
        at: the point that is evaluated next.
        before: the point before it, for the momentum.
        best: the point of highest loss so far.
        best_direction: signs of the gradient at `best`, from which the search goes on after a
            halving; in bytes, because a step is as fast as memory is.
        best_loss: the loss at `best`; infinite for a hit, so that no later point replaces it.
        loss: at the last point.
        checked_loss: `best_loss` at the last checkpoint.
        rises: steps since the last checkpoint that raised the loss.
        halved: whether the last checkpoint halved the step.
        step: step size, as a Linf norm.
    """

    at: Tensor
    before: Tensor
    best: Tensor
    best_direction: Tensor
    best_loss: Tensor
    loss: Tensor
    checked_loss: Tensor
    rises: Tensor
    halved: Tensor
    step: Tensor


class _State(NamedTuple):
    images: Tensor
    labels: Tensor
    climb: _Climb
    finished: Tensor


@dataclass(frozen=True)
class AutoPGD(Attack):
    """Ascend with momentum, the first step size 2 epsilon.

    An image keeps its first hit; without one, the point of highest loss, the clean image included.
    Images that are hit drop out, so restarts cost only for those that are not.

    Attributes:
        loss: name in `LOSSES`; `cross_entropy` is APGD-CE, `dlr` APGD-DLR (the margin where there
            are two classes).
        steps: steps per restart. The points before the first and after each of them are evaluated,
            which makes `steps` + 1 gradients.
        restarts: random starts, each with at least one pixel at distance epsilon.
    """

    loss: str
    steps: int
    restarts: int

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        logits, box, seed = threat
        loss = LOSSES[self.loss]
        stage = _ascent(logits, loss)
        shared = (_gaps(self.steps), tf.constant(epsilon, tf.float32), *bounds(box))
        best, cost = batch.images, 0.0
        best_loss = compiled_score(logits, loss)(best, batch.labels)
        for restart in range(self.restarts):
            start = _start(batch, epsilon, box, child_seed(seed, "apgd", str(restart)))
            foot = _foot(start, best_loss, 2 * epsilon)
            run = _State(batch.images, batch.labels, foot, tf.math.is_inf(best_loss))
            run, taken = run_by_halves(stage, run, self.steps + 1, *shared)
            better = run.climb.best_loss > best_loss
            best = tf.where(_wide(better), run.climb.best, best)
            best_loss = tf.where(better, run.climb.best_loss, best_loss)
            cost += taken
        return Crafted(best, cost, 1)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, LOSSES[self.loss], batches)


def checkpoints(steps: int) -> Sequence[int]:
    """Return the steps at which the step size is decided, as the authors' code rounds them.

    The first comes after 0.22 of all steps. Each gap is 0.03 of all steps shorter than the last,
    but at least 0.06 (section 3.1).
    """
    gap, shorter, shortest = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    at = [gap]
    while at[-1] < steps:
        gap = max(gap - shorter, shortest)
        at.append(at[-1] + gap)
    return [k for k in at if k <= steps]


def _gaps(steps: int) -> Tensor:
    """Return, per checkpoint, the steps since the one before; 0 for points that are no checkpoint.

    Shape `(steps + 1,)`: point 0 is the start, point k the one after k steps.
    """
    at = checkpoints(steps)
    gaps = np.zeros(steps + 1, np.float32)
    gaps[at] = np.diff([0, *at])
    return tf.constant(gaps)


def _start(batch: Batch, epsilon: float, box: Box, seed: int) -> Tensor:
    """Return random points, each scaled so that its largest change is epsilon."""
    noise = batch.uniform(seed)
    largest = tf.reduce_max(tf.abs(noise), axis=[1, 2, 3], keepdims=True)
    return clip_to(box, batch.images + epsilon * noise / largest)


def _foot(start: Tensor, best_loss: Tensor, step: float) -> _Climb:
    """Return where a restart begins: at `start`, with a first step size.

    `best_loss` `(n,)` is of the restarts before. Where they hit it is infinite, and stays so.
    """
    hit = tf.math.is_inf(best_loss)
    nothing = tf.zeros_like(best_loss)
    return _Climb(
        at=start,
        before=start,
        best=start,
        best_direction=tf.zeros_like(start, tf.int8),
        best_loss=tf.where(hit, best_loss, -np.inf),
        loss=nothing + np.inf,  # the first evaluation is no rise
        checked_loss=nothing,
        rises=nothing,
        halved=tf.ones_like(hit),  # so condition 2 waits for the second checkpoint
        step=nothing + step,
    )


@lru_cache(maxsize=KEPT_MODELS)
def _ascent(logits: Logits, loss: Loss) -> Stage:
    """Compile the loop of a restart. Step k evaluates point k, then moves to point k + 1."""

    def step(
        state: _State, k: Tensor, gaps: Tensor, epsilon: Tensor, low: Tensor, high: Tensor
    ) -> _State:
        gradient, value, hit = evaluate(logits, loss, state.climb.at, state.labels)
        value = tf.where(hit, np.float32(np.inf), value)
        # The first step has no predecessor, hence no momentum.
        share = tf.where(k == 0, 1.0, MOMENTUM)
        climb = _climbed(
            state.images, state.climb, gradient, value, gaps[k], share, epsilon, low, high
        )
        return _State(state.images, state.labels, climb, state.finished | hit)

    return compile_stage(step)


@one_pass
def _climbed(
    images: Tensor,
    climb: _Climb,
    gradient: Tensor,
    loss: Tensor,
    gap: Tensor,
    share: Tensor,
    epsilon: Tensor,
    low: Tensor,
    high: Tensor,
) -> _Climb:
    """Take in what was found at a point, and step on from it or from the best one.

    `gradient`, shaped as the images, and `loss` `(n,)`, infinite for a hit, belong to `climb.at`.
    `gap` is the number of steps since the last checkpoint (0: no checkpoint), `share` the weight of
    the new step.
    """
    direction = tf.cast(tf.sign(finite(gradient)), tf.int8)
    climb, direction = _checked(_noted(climb, direction, loss), direction, gap)

    def projected(x: Tensor) -> Tensor:
        return tf.clip_by_value(images + tf.clip_by_value(x - images, -epsilon, epsilon), low, high)

    # Equation 2: `aim` is a projected step of plain PGD; the point moves along a mean of this step
    # and of the last one, and is projected again.
    aim = projected(climb.at + _wide(climb.step) * tf.cast(direction, tf.float32))
    moved = climb.at + share * (aim - climb.at) + (1 - share) * (climb.at - climb.before)
    return climb._replace(at=projected(moved), before=climb.at)


def _noted(climb: _Climb, direction: Tensor, loss: Tensor) -> _Climb:
    """Keep the point if it is the best so far."""
    better = loss > climb.best_loss
    return climb._replace(
        best=tf.where(_wide(better), climb.at, climb.best),
        best_direction=tf.where(_wide(better), direction, climb.best_direction),
        best_loss=tf.where(better, loss, climb.best_loss),
        loss=loss,
        rises=climb.rises + tf.cast(loss > climb.loss, tf.float32),
    )


def _checked(climb: _Climb, direction: Tensor, gap: Tensor) -> tuple[_Climb, Tensor]:
    """At a checkpoint, halve the step of stalled images and return them to their best point.

    Condition 1: too few steps since the last checkpoint raised the loss. Condition 2: the last
    checkpoint did not halve the step, and the best loss has not improved since.
    """
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


def _wide(each: Tensor) -> Tensor:
    """Return `(n,)` as `(n, 1, 1, 1)`."""
    return each[:, None, None, None]
