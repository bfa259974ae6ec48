"""FMN (Pintor et al. 2021, algorithm 1): gradient steps in a ball whose radius meets the boundary.

Until an adversarial point is found, the radius of the ball is the distance at which the linearised
margin is 0. From then on it shrinks where a point is adversarial, and grows where it is not, by a
share that becomes smaller and smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.adaptive_norm import Search, along, annealed, search_from
from gauntlet.attacks.base import Crafted, Logits, Threat, bounds, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import evaluate, finite, margin, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack
from gauntlet.attacks.nearest import Nearest, dual_size, noted, size, wide
from gauntlet.attacks.norms import NORMS
from gauntlet.training.keras_loops import KEPT_MODELS

LAST_STEP = 0.01
"""The last step as a share of the first."""

LAST_GAMMA = 0.001
"""The last change of the radius, as a share of it, unless the first is smaller still."""

BEYOND = 1e-5
"""Share by which the linearised boundary is passed until an adversarial point is found. A network
that is linear there would otherwise be met exactly, and rounding would decide on which side."""


@dataclass(frozen=True)
class FastMinimumNorm(MinimumNormAttack):
    """Ascend the margin along normalised gradients, projected onto the box, then onto the ball.

    The paper projects onto the ball first. Where no pixel meets the box, and in Linf, that is the
    same.

    Attributes:
        norm: of the ball, a name in `NORMS`.
        steps: per image, each one gradient evaluation. The point after the last one is not
            evaluated.
        step: L2 norm of the first step, in pixel ranges (alpha).
        gamma: share by which the radius changes first.
    """

    norm: str
    steps: int
    step: float
    gamma: float

    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        logits, box, _ = threat
        search, taken = run_by_halves(
            _ascent(logits, self.norm),
            search_from(batch, box, 0.0, self.norm),  # the first step sets the radius
            self.steps,
            annealed(self.step, LAST_STEP * self.step, self.steps),
            annealed(self.gamma, min(LAST_GAMMA, self.gamma), self.steps),
            *bounds(box),
        )
        return Crafted(search.nearest.images, taken, 0)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, margin, batches)


@lru_cache(maxsize=KEPT_MODELS)
def _ascent(logits: Logits, norm: str) -> Stage:
    """Compile the loop. A step evaluates a point, judges it and moves on."""

    def step(
        search: Search, k: Tensor, lengths: Tensor, gammas: Tensor, low: Tensor, high: Tensor
    ) -> Search:
        gradient, lead, hit = evaluate(logits, margin, search.at, search.labels)
        at, radius, nearest = _moved(
            search, gradient, lead, hit, lengths[k], gammas[k], low, high, norm
        )
        return search._replace(at=at, radius=radius, nearest=nearest)

    return compile_stage(step)


@one_pass
def _moved(
    search: Search,
    gradient: Tensor,
    lead: Tensor,
    hit: Tensor,
    length: Tensor,
    gamma: Tensor,
    low: Tensor,
    high: Tensor,
    norm: str,
) -> tuple[Tensor, Tensor, Nearest]:
    """Return the next point, the next radius and what was found.

    `gradient`, the margin `lead` `(n,)` and `hit` `(n,)` are those of `search.at`; `length` and
    `gamma` are the step's.
    """
    gradient, change = finite(gradient), search.at - search.images
    distance = size(change, norm)
    nearest = noted(search.nearest, search.at, distance, hit)
    slope = dual_size(gradient, norm)
    boundary = (1 + BEYOND) * (distance + tf.where(slope > 0, tf.abs(lead) / slope, np.inf))
    radius = _radius(search.radius, nearest.distance, boundary, hit, gamma)
    radius = tf.minimum(radius, search.farthest)
    at = search.at + along(gradient, length * search.unit)
    # The box comes first. The other way round, a step that the box stops would use up the ball, and
    # the search would stand still before the boundary. The ball around a point of the box does not
    # leave it again, but for rounding.
    change = tf.clip_by_value(at, low, high) - search.images
    moved = NORMS[norm].within(change, wide(radius))
    return tf.clip_by_value(search.images + moved, low, high), radius, nearest


def _radius(radius: Tensor, found: Tensor, boundary: Tensor, hit: Tensor, gamma: Tensor) -> Tensor:
    """Return the next radius, `(n,)` as all arguments but `gamma`.

    Args:
        radius: of the ball so far.
        found: distance of the nearest adversarial image; infinite if there is none.
        boundary: distance just beyond that at which the linearised margin is 0.
        hit: whether the point is adversarial.
        gamma: share of the radius by which it changes.
    """
    missed = tf.where(tf.math.is_inf(found), boundary, (1 + gamma) * radius)
    return tf.where(hit, tf.minimum((1 - gamma) * radius, found), missed)
