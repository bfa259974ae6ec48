"""DDN (Rony et al. 2019, algorithm 1): direction and L2 norm of a change are chosen apart.

The direction follows the gradient of the cross entropy. The norm is put on the sphere around the
image whose radius shrinks by a fixed share where the last point was adversarial, and else grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.adaptive_norm import Search, along, annealed, search_from
from gauntlet.attacks.base import Crafted, Logits, Threat, bounds, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import cross_entropy, evaluate, finite, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack
from gauntlet.attacks.nearest import Nearest, noted, size, wide
from gauntlet.attacks.norms import PIXELS
from gauntlet.training.keras_loops import KEPT_MODELS

FIRST_STEP, LAST_STEP = 1.0, 0.01
"""L2 norms of the first and the last step in pixel ranges."""


@dataclass(frozen=True)
class DecoupledNorm(MinimumNormAttack):
    """Step along normalised gradients, then put the change on the sphere and into the box.

    As published, each point is rounded to the levels of an image file before it is evaluated. Where
    there is no box there are no levels, and nothing is rounded.

    Attributes:
        steps: per image, each one gradient evaluation. The point after the last one is not
            evaluated.
        radius: of the first sphere, in pixel ranges.
        gamma: share by which the radius changes at each step.
        levels: values that a pixel can have.
    """

    steps: int
    radius: float
    gamma: float
    levels: int

    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        logits, box, _ = threat
        search, taken = run_by_halves(
            _ascent(logits, box is not None),
            search_from(batch, box, self.radius, "l2"),
            self.steps,
            annealed(FIRST_STEP, LAST_STEP, self.steps),
            tf.constant(self.gamma, tf.float32),
            tf.constant(self.levels - 1, tf.float32),
            *bounds(box),
        )
        return Crafted(search.nearest.images, taken, 0)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, cross_entropy, batches)


@lru_cache(maxsize=KEPT_MODELS)
def _ascent(logits: Logits, rounds: bool) -> Stage:
    """Compile the loop. A step evaluates a point, judges it and moves on."""

    def step(
        search: Search,
        k: Tensor,
        lengths: Tensor,
        gamma: Tensor,
        intervals: Tensor,
        low: Tensor,
        high: Tensor,
    ) -> Search:
        gradient, _, hit = evaluate(logits, cross_entropy, search.at, search.labels)
        at, radius, nearest = _moved(
            search, gradient, hit, lengths[k], gamma, intervals, low, high, rounds
        )
        return search._replace(at=at, radius=radius, nearest=nearest)

    return compile_stage(step)


@one_pass
def _moved(
    search: Search,
    gradient: Tensor,
    hit: Tensor,
    length: Tensor,
    gamma: Tensor,
    intervals: Tensor,
    low: Tensor,
    high: Tensor,
    rounds: bool,
) -> tuple[Tensor, Tensor, Nearest]:
    """Return the next point, the next radius and what was found.

    `gradient` and `hit` `(n,)` are those of `search.at`; `length` is the step's. `rounds` says
    whether pixels are rounded to the ends of `intervals` equal parts of the box.
    """
    change = search.at - search.images
    nearest = noted(search.nearest, search.at, size(change, "l2"), hit)
    radius = search.radius * tf.where(hit, 1 - gamma, 1 + gamma)
    radius = tf.minimum(radius, search.farthest)
    step = along(finite(gradient), length * search.unit)
    change += step
    # On the sphere, not merely inside the ball: a change that is too short is lengthened.
    change *= wide(tf.math.divide_no_nan(radius, size(change, "l2")))
    at = search.images + change
    if rounds:
        place = tf.round((at - low) / (high - low) * intervals)
        at = low + place / intervals * (high - low)
    # A point that has no gradient stays; what rounding changed is no direction to lengthen.
    moves = tf.reduce_any(step != 0, PIXELS, keepdims=True)
    return tf.where(moves, tf.clip_by_value(at, low, high), search.at), radius, nearest
