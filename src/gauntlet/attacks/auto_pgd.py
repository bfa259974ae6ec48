"""APGD (Croce and Hein 2020, algorithm 1): PGD that chooses the step size of each image itself.

It steps with momentum: in Linf along signs, in L2 along the normalised gradient. At a few
checkpoints it asks whether the loss of an image still rises; where it does not, the step is halved
and the search goes on from the best point so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Attack, Crafted, Logits, Threat, clip_to
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.climb import Best, Pace, Start, best_of
from gauntlet.attacks.gradients import LOSSES, compiled_score, slopes
from gauntlet.attacks.norms import NORMS, Norm
from gauntlet.seeding import child_seed

MOMENTUM = 0.75
"""Weight of the new step; the last step has the rest (alpha of equation 2)."""


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
        restarts: random starts, each at distance epsilon before it is clipped to the box.
        norm: name in `NORMS`, of the budgets.
    """

    loss: str
    steps: int
    restarts: int
    norm: str

    @property
    def budget_norm(self) -> Norm:
        """The norm of its budgets."""
        return NORMS[self.norm]

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        loss, norm = LOSSES[self.loss], self.budget_norm
        clean = Best(batch.images, compiled_score(threat.logits, loss)(batch.images, batch.labels))
        seeds = (child_seed(threat.seed, "apgd", str(restart)) for restart in range(self.restarts))
        starts = (Start(far_start(norm, threat, batch, epsilon, seed)) for seed in seeds)
        return best_of(starts, loss, norm, pace(self.steps), threat, batch, epsilon, clean)

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


def pace(steps: int) -> Pace:
    """Return the pace of APGD, whose first step may cross the whole ball."""
    at = checkpoints(steps)
    gaps = np.zeros(steps + 1, np.float32)
    gaps[at] = np.diff([0, *at])
    return Pace(2.0, MOMENTUM, tf.constant(gaps))


def far_start(norm: Norm, threat: Threat, batch: Batch, epsilon: float, seed: int) -> Tensor:
    """Return random points at distance epsilon, clipped to the box."""
    return clip_to(threat.box, batch.images + norm.far(batch, seed, epsilon))
