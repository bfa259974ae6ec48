"""One step of a climb, and what it remembers of each image (see `climb`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import one_pass
from gauntlet.attacks.gradients import finite
from gauntlet.attacks.norms import Norm

ENOUGH_RISES = 0.75
"""Share of the steps since the last checkpoint that must raise the loss (rho of condition 1)."""


class Climb(NamedTuple):
    """What every step changes: points and directions shaped as the images, all else `(n,)`.

    Attributes:
        at: the point that is evaluated next.
        before: the point before it, for the momentum.
        best: the point of highest loss so far.
        best_direction: of the steepest step at `best`, from which the search goes on after a
            halving; signs in bytes, because a step is as fast as memory is.
        best_loss: the loss at `best`; infinite for a hit, so that no later point replaces it.
        loss: at the last point.
        checked_loss: `best_loss` at the last checkpoint.
        rises: steps since the last checkpoint that raised the loss.
        halved: whether the last checkpoint halved the step.
        step: step size, in the norm of the budget.
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


def foot(start: Tensor, best_loss: Tensor, step: float, norm: Norm) -> Climb:
    """Return where a climb begins: at `start`, with a first step size.

    `best_loss` `(n,)` is of the climbs before. Where they hit it is infinite, and stays so.
    """
    hit = tf.math.is_inf(best_loss)
    nothing = tf.zeros_like(best_loss)
    return Climb(
        at=start,
        before=start,
        best=start,
        best_direction=tf.zeros_like(start, norm.direction_type),
        best_loss=tf.where(hit, best_loss, -np.inf),
        loss=nothing + np.inf,  # the first evaluation is no rise
        checked_loss=nothing,
        rises=nothing,
        halved=tf.ones_like(hit),  # so condition 2 waits for the second checkpoint
        step=nothing + step,
    )


@lru_cache
def climbed(norm: Norm) -> Callable[..., Climb]:
    """Compile one step in a norm, for any model: it takes what was found at `climb.at`."""

    @one_pass
    def step(
        images: Tensor,
        climb: Climb,
        gradient: Tensor,
        loss: Tensor,
        gap: Tensor,
        share: Tensor,
        epsilon: Tensor,
        low: Tensor,
        high: Tensor,
    ) -> Climb:
        """Take in what was found at a point, and step on from it or from the best one.

        `gradient`, shaped as the images, and `loss` `(n,)`, infinite for a hit, belong to
        `climb.at`. `gap` is the number of steps since the last checkpoint (0: no checkpoint),
        `share` the weight of the new step.
        """
        direction = tf.cast(norm.steepest(finite(gradient)), norm.direction_type)
        climb, direction = _checked(_noted(climb, direction, loss), direction, gap)

        def projected(x: Tensor) -> Tensor:
            # To clip to the box makes no change longer, because the image itself lies in it.
            return tf.clip_by_value(images + norm.within(x - images, epsilon), low, high)

        # Equation 2: `aim` is a projected step of plain PGD; the point moves along a mean of this
        # step and of the last one, and is projected again.
        aim = projected(climb.at + wide(climb.step) * tf.cast(direction, tf.float32))
        moved = climb.at + share * (aim - climb.at) + (1 - share) * (climb.at - climb.before)
        return climb._replace(at=projected(moved), before=climb.at)

    return step


def _noted(climb: Climb, direction: Tensor, loss: Tensor) -> Climb:
    """Keep the point if it is the best so far."""
    better = loss > climb.best_loss
    return climb._replace(
        best=tf.where(wide(better), climb.at, climb.best),
        best_direction=tf.where(wide(better), direction, climb.best_direction),
        best_loss=tf.where(better, loss, climb.best_loss),
        loss=loss,
        rises=climb.rises + tf.cast(loss > climb.loss, tf.float32),
    )


def _checked(climb: Climb, direction: Tensor, gap: Tensor) -> tuple[Climb, Tensor]:
    """At a checkpoint, halve the step of stalled images and return them to their best point.

    Condition 1: too few steps since the last checkpoint raised the loss. Condition 2: the last
    checkpoint did not halve the step, and the best loss has not improved since.
    """
    few_rises = climb.rises <= ENOUGH_RISES * gap
    no_better = ~climb.halved & (climb.best_loss <= climb.checked_loss)
    checked = gap > 0
    halve = checked & (few_rises | no_better)
    climb = climb._replace(
        at=tf.where(wide(halve), climb.best, climb.at),
        step=tf.where(halve, climb.step / 2, climb.step),
        halved=tf.where(checked, halve, climb.halved),
        checked_loss=tf.where(checked, climb.best_loss, climb.checked_loss),
        rises=tf.where(checked, 0.0, climb.rises),
    )
    return climb, tf.where(wide(halve), climb.best_direction, direction)


def wide(each: Tensor) -> Tensor:
    """Return `(n,)` as `(n, 1, 1, 1)`."""
    return each[:, None, None, None]
