"""Targeted FAB (Croce and Hein 2020, arXiv:1907.02044): a walk along the boundary of one class.

Each step linearises the boundary between the true class and a target, and projects both the point
and the clean image onto it, inside the box. It goes to a mean of the two, slightly beyond the
boundary: the point's own projection is adversarial sooner, the clean image's is nearer. An
adversarial point is kept if it is nearer than those before, and then pulled back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.base import Box, Crafted, Logits, Threat, bounds, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import all_gaps, evaluate, finite, misclassified, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack, compiled_logits
from gauntlet.attacks.nearest import Nearest, noted, size, wide
from gauntlet.attacks.norms import PIXELS
from gauntlet.attacks.plane_projection import to_plane
from gauntlet.attacks.targets import likeliest_wrong, logit_difference
from gauntlet.training.keras_loops import KEPT_MODELS


class _Rule(NamedTuple):
    """What every step is given; the published names stand in brackets.

    Attributes:
        bias: largest weight of the clean image's projection (alpha_max).
        overshoot: length of a step in projections; 1 ends on the boundary (eta).
        pull: distance that an adversarial point keeps, as a share (beta).
        low: lower end of the box.
        high: its upper end.
    """

    bias: Tensor
    overshoot: Tensor
    pull: Tensor
    low: Tensor
    high: Tensor


class _Walk(NamedTuple):
    """The state of a walk.

    Attributes:
        images: the clean images.
        labels: true classes.
        targets: class that each image is led to.
        at: the point that is linearised next.
        nearest: what was found, also by the walks before.
    """

    images: Tensor
    labels: Tensor
    targets: Tensor
    at: Tensor
    nearest: Nearest

    @property
    def finished(self) -> Tensor:
        """Which images are misclassified as they are; nothing replaces what was found for them."""
        return self.nearest.distance == 0


@dataclass(frozen=True)
class TargetedFAB(MinimumNormAttack):
    """Walk from the clean image once per target, the likeliest wrong class first.

    Any wrong class counts, not only the target. As in the authors' AutoAttack, there is no final
    search between the clean image and the nearest one.

    Attributes:
        norm: name in `NORMS`, in which the nearest image is sought.
        steps: per target, each one gradient evaluation and one query.
        targets: wrong classes aimed at, >= 1; where there are fewer, all of them.
        bias: largest weight of the clean image's projection (alpha_max).
        overshoot: length of a step in projections (eta).
        pull: distance that an adversarial point keeps, as a share (beta).
    """

    norm: str
    steps: int
    targets: int
    bias: float
    overshoot: float
    pull: float

    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        logits, box, _ = threat
        images, labels = batch.images, batch.labels
        scores = compiled_logits(logits, images.shape[1:])(images, labels)
        missed = misclassified(labels, scores)
        nearest = Nearest(images, tf.where(missed, 0.0, float("inf")))
        stage, rule, cost = _walking(logits, self.norm), self._rule(box), 0.0
        for targets in tf.unstack(likeliest_wrong(labels, scores, self.targets), axis=1):
            walk = _Walk(images, labels, targets, images, nearest)
            walk, taken = run_by_halves(stage, walk, self.steps, rule)
            nearest, cost = walk.nearest, cost + taken
        return Crafted(nearest.images, cost, 1 + cost)

    def _rule(self, box: Box) -> _Rule:
        bias, overshoot, pull = (
            tf.constant(value, tf.float32) for value in (self.bias, self.overshoot, self.pull)
        )
        return _Rule(bias, overshoot, pull, *bounds(box))

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, all_gaps, batches)


@lru_cache(maxsize=KEPT_MODELS)
def _walking(logits: Logits, norm: str) -> Stage:
    """Compile the loop of one walk."""

    def step(walk: _Walk, _: Tensor, rule: _Rule) -> _Walk:
        lead = partial(logit_difference, walk.targets)
        gradient, value, _ = evaluate(logits, lead, walk.at, walk.labels)
        point = _stepped(walk.images, walk.at, gradient, value, rule, norm)
        hit = misclassified(walk.labels, logits(point, walk.labels))
        return _judged(walk, point, hit, rule.pull, norm)

    return compile_stage(step)


def _stepped(
    images: Tensor, at: Tensor, gradient: Tensor, lead: Tensor, rule: _Rule, norm: str
) -> Tensor:
    """Return the point after a step; `lead` `(n,)` and its gradient are those of `at`.

    This is no XLA function: the rounds of a projection are sums over pixels, which XLA's CPU
    version computes on a single thread.
    """
    gradient = finite(gradient)
    own = to_plane(at, gradient, -lead, rule.low, rule.high, norm)
    # The plane through the clean image: its gap is that of the point, seen from another place.
    gap = tf.reduce_sum(gradient * (at - images), PIXELS) - lead
    clean = to_plane(images, gradient, gap, rule.low, rule.high, norm)
    ways = [size(change, norm) for change in (own, clean)]
    # Without a gradient both are 0; then the point goes back towards the clean image.
    share = tf.where(ways[0] + ways[1] > 0, ways[0] / (ways[0] + ways[1]), 1.0)
    weight = wide(tf.minimum(share, rule.bias))
    point = (1 - weight) * (at + rule.overshoot * own)
    point += weight * (images + rule.overshoot * clean)
    return tf.clip_by_value(point, rule.low, rule.high)


@one_pass
def _judged(walk: _Walk, point: Tensor, hit: Tensor, pull: Tensor, norm: str) -> _Walk:
    """Keep an adversarial point if it is the nearest, and pull it back towards the clean image."""
    change = point - walk.images
    nearest = noted(walk.nearest, point, size(change, norm), hit)
    at = tf.where(wide(hit), walk.images + pull * change, point)
    return walk._replace(at=at, nearest=nearest)
