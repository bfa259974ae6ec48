"""A climb: steps of norm 1 to a higher loss, whose size each image may choose for itself.

A step may keep a part of the last one (momentum). At checkpoints the climb asks whether the loss of
an image still rises; where it does not, the step is halved and the climb goes on from the best
point so far (Croce and Hein 2020, algorithm 1). Without momentum and checkpoints it is plain PGD.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.base import Crafted, Logits, Threat, bounds
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.climb_steps import Climb, climbed, foot, wide
from gauntlet.attacks.gradients import Loss, evaluate
from gauntlet.attacks.norms import Norm
from gauntlet.training.keras_loops import KEPT_MODELS


class Pace(NamedTuple):
    """How many steps a climb takes, and how large they are.

    Attributes:
        first: first step size, as a share of epsilon.
        momentum: weight of the new step; the last step has the rest (alpha of equation 2).
        gaps: per point, the steps since the last checkpoint; 0 for a point that is none. Shape
            `(steps + 1,)`: point 0 is the start, point k the one after k steps.
    """

    first: float
    momentum: float
    gaps: Tensor


class Start(NamedTuple):
    """Where a climb begins.

    Attributes:
        at: points shaped as the images, inside budget and box.
        aims: what the loss takes before labels and logits: the target classes `(n,)`, or nothing.
    """

    at: Tensor
    aims: tuple[Tensor, ...] = ()


class Best(NamedTuple):
    """The best point of each image so far, and its loss `(n,)`, infinite for a hit."""

    images: Tensor
    loss: Tensor


class _State(NamedTuple):
    images: Tensor
    labels: Tensor
    aims: tuple[Tensor, ...]
    climb: Climb
    finished: Tensor


def best_of(
    starts: Iterable[Start],
    loss: Loss,
    norm: Norm,
    pace: Pace,
    threat: Threat,
    batch: Batch,
    epsilon: float,
    best: Best,
) -> Crafted:
    """Climb from each start in turn; images that are hit drop out.

    An image keeps its first hit; without one, the point of highest loss. All points of a climb are
    evaluated, which makes `steps` + 1 gradients per start.

    Args:
        starts: of the climbs.
        loss: what is climbed: `loss(*aims, labels=..., logits=...)`.
        norm: of the budget and of the steps.
        pace: of every climb.
        threat: the attacked model, and the box.
        batch: the clean images.
        epsilon: the budget.
        best: what was known before the first climb.
    """
    stage = _ascent(threat.logits, loss, norm)
    budget, momentum = (tf.constant(x, tf.float32) for x in (epsilon, pace.momentum))
    shared = (pace.gaps, momentum, budget, *bounds(threat.box))
    cost = 0.0
    for start in starts:
        base = foot(start.at, best.loss, pace.first * epsilon, norm)
        run = _State(batch.images, batch.labels, start.aims, base, tf.math.is_inf(best.loss))
        run, taken = run_by_halves(stage, run, len(pace.gaps), *shared)
        best, cost = _better(best, run.climb), cost + taken
    return Crafted(best.images, cost, 1)


def _better(best: Best, climb: Climb) -> Best:
    better = climb.best_loss > best.loss
    return Best(
        tf.where(wide(better), climb.best, best.images),
        tf.where(better, climb.best_loss, best.loss),
    )


@lru_cache(maxsize=KEPT_MODELS)
def _ascent(logits: Logits, loss: Loss, norm: Norm) -> Stage:
    """Compile the loop of a climb. Step k evaluates point k, then moves to point k + 1."""
    step_on = climbed(norm)

    def step(
        state: _State,
        k: Tensor,
        gaps: Tensor,
        momentum: Tensor,
        epsilon: Tensor,
        low: Tensor,
        high: Tensor,
    ) -> _State:
        aimed = partial(loss, *state.aims)
        gradient, value, hit = evaluate(logits, aimed, state.climb.at, state.labels)
        value = tf.where(hit, np.float32(np.inf), value)
        # The first step has no predecessor, hence no momentum.
        share = tf.where(k == 0, 1.0, momentum)
        climb = step_on(
            state.images, state.climb, gradient, value, gaps[k], share, epsilon, low, high
        )
        return state._replace(climb=climb, finished=state.finished | hit)

    return compile_stage(step)
