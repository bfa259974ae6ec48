"""APGD-T and MultiTargeted PGD: one climb towards each wrong class, the likeliest first.

Any wrong class is a hit, whichever was aimed at. An image that is hit takes part in no later climb.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks import auto_pgd
from gauntlet.attacks.base import Attack, Crafted, Logits, Threat, clip_to
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.climb import Best, Pace, Start, best_of
from gauntlet.attacks.gradients import Loss, all_gaps, slopes
from gauntlet.attacks.norms import NORMS, Norm
from gauntlet.attacks.targets import compiled_targets, logit_difference, targeted_dlr
from gauntlet.seeding import child_seed


@dataclass(frozen=True)
class Targeted(Attack):
    """An attack that climbs towards several wrong classes per image, one after the other.

    An image keeps its first hit; without one, the point of highest loss of all targets, the clean
    image included.

    Attributes:
        targets: wrong classes aimed at, >= 1; where there are fewer, all of them.
        steps: steps per climb. The points before the first and after each of them are evaluated,
            which makes `steps` + 1 gradients.
        restarts: random starts per target.
    """

    targets: int
    steps: int
    restarts: int

    @property
    @abstractmethod
    def _loss(self) -> Loss:
        """The loss of the targets."""

    @property
    @abstractmethod
    def _pace(self) -> Pace:
        """The pace of a climb."""

    @abstractmethod
    def _start(self, threat: Threat, batch: Batch, epsilon: float, seed: int) -> Tensor:
        """Return random points inside the budget and the box, shaped as the images."""

    @final
    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        look = compiled_targets(threat.logits, self._loss, self.targets)
        targets, score = look(batch.images, batch.labels)
        starts = self._starts(threat, batch, epsilon, tf.unstack(targets, axis=1))
        clean, norm = Best(batch.images, score), self.budget_norm
        return best_of(starts, self._loss, norm, self._pace, threat, batch, epsilon, clean)

    @final
    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, all_gaps, batches)

    def _starts(
        self, threat: Threat, batch: Batch, epsilon: float, targets: Sequence[Tensor]
    ) -> Iterator[Start]:
        for rank, target in enumerate(targets):
            for restart in range(self.restarts):
                seed = child_seed(threat.seed, "target", str(rank), str(restart))
                yield Start(self._start(threat, batch, epsilon, seed), (target,))


@dataclass(frozen=True)
class TargetedAutoPGD(Targeted):
    """APGD-T (Croce and Hein 2020): APGD on the targeted DLR.

    It differs from the authors' code where nothing is hit: that returns the clean image, which
    would carry nothing over to another model. Of two or three classes the loss is the difference of
    logits.

    Attributes:
        norm: name in `NORMS`, of the budgets.
    """

    norm: str

    @property
    def budget_norm(self) -> Norm:
        """The norm of its budgets."""
        return NORMS[self.norm]

    @property
    def _loss(self) -> Loss:
        return targeted_dlr

    @property
    def _pace(self) -> Pace:
        return auto_pgd.pace(self.steps)

    def _start(self, threat: Threat, batch: Batch, epsilon: float, seed: int) -> Tensor:
        return auto_pgd.far_start(self.budget_norm, threat, batch, epsilon, seed)


@dataclass(frozen=True)
class MultiTargeted(Targeted):
    """PGD on the target's logit minus the true one (Gowal et al. 2019).

    Random starts are uniform in the ball.

    Attributes:
        rel_step: step size as a share of epsilon, (0, 1].
    """

    rel_step: float

    @property
    def _loss(self) -> Loss:
        return logit_difference

    @property
    def _pace(self) -> Pace:
        return Pace(self.rel_step, 1.0, tf.zeros(self.steps + 1))

    def _start(self, threat: Threat, batch: Batch, epsilon: float, seed: int) -> Tensor:
        return clip_to(threat.box, batch.images + self.budget_norm.anywhere(batch, seed, epsilon))
