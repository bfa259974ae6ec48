"""AutoAttack (Croce and Hein 2020): several attacks in turn, each on the images that are left."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import final

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.auto_pgd import AutoPGD
from gauntlet.attacks.base import Attack, Crafted, Logits, Threat
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.climb import Best
from gauntlet.attacks.climb_steps import wide
from gauntlet.attacks.fast_adaptive_boundary import TargetedFAB
from gauntlet.attacks.gradients import all_gaps, compiled_score, margin, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack
from gauntlet.attacks.norms import NORMS, Norm
from gauntlet.attacks.square import Square
from gauntlet.attacks.square_l2 import SquareL2
from gauntlet.attacks.targeted import TargetedAutoPGD

SQUARES = {"linf": Square, "l2": SquareL2}


@dataclass(frozen=True)
class InTurn(Attack):
    """Run attacks in turn; an image keeps the first adversarial image that one of them finds.

    Without one it keeps the point of highest margin, the clean image included. Each attack draws
    what it would draw alone, so the images that fall are those that fall to any of them.

    Attributes:
        norm: name in `NORMS`, of the budgets.
    """

    norm: str

    @property
    @abstractmethod
    def turns(self) -> tuple[Attack, ...]:
        """The attacks; each leaves an image that is misclassified already as it is."""

    @property
    def budget_norm(self) -> Norm:
        """The norm of its budgets."""
        return NORMS[self.norm]

    @final
    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        look = compiled_score(threat.logits, margin)  # infinite for a hit
        best = Best(batch.images, look(batch.images, batch.labels))
        gradient_calls, queries = 0.0, 1.0
        for attack in self.turns:
            fallen = tf.math.is_inf(best.loss)
            if tf.reduce_all(fallen):
                break
            # A fallen image is handed on as what felled it: the attack stops there at once, and
            # the noise of the others is what it would be without it.
            left = replace(batch, images=tf.where(wide(fallen), best.images, batch.images))
            found = self._turn(attack, threat, left, epsilon)
            loss = look(found.images, batch.labels)
            better = ~fallen & (loss > best.loss)
            best = Best(
                tf.where(wide(better), found.images, best.images),
                tf.where(better, loss, best.loss),
            )
            gradient_calls += found.gradient_calls
            queries += found.queries + 1
        return Crafted(best.images, gradient_calls, queries)

    @final
    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, all_gaps, batches)

    def _turn(self, attack: Attack, threat: Threat, batch: Batch, epsilon: float) -> Crafted:
        if not isinstance(attack, MinimumNormAttack):
            return attack._perturb(threat, batch, epsilon, None)
        found = attack._search(threat, batch)
        near = self.budget_norm.size(found.images - batch.images) <= epsilon
        return found._replace(images=tf.where(near, found.images, batch.images))


@dataclass(frozen=True)
class AutoAttack(InTurn):
    """APGD-CE, APGD-T, FAB-T and Square: the published standard (section 5; `version=standard`).

    Attributes:
        steps: of each start of both APGD, and of FAB per target.
        targets: wrong classes that APGD-T and FAB-T aim at; where there are fewer, all of them.
        queries: of Square.
    """

    steps: int
    targets: int
    queries: int

    @property
    def turns(self) -> tuple[Attack, ...]:
        """The four attacks, in the published order."""
        steps, targets, norm = self.steps, self.targets, self.norm
        fab = {"bias": 0.1, "overshoot": 1.05, "pull": 0.9}
        return (
            AutoPGD(loss="cross_entropy", steps=steps, restarts=1, norm=norm),
            TargetedAutoPGD(targets=targets, steps=steps, restarts=1, norm=norm),
            TargetedFAB(norm=norm, steps=steps, targets=targets, **fab),
            SQUARES[norm](self.queries),
        )


@dataclass(frozen=True)
class RandomisedAutoAttack(InTurn):
    """APGD-CE and APGD-DLR, for random defences (the authors' `version=rand`).

    Attributes:
        steps: of each start.
    """

    steps: int

    @property
    def turns(self) -> tuple[Attack, ...]:
        """Both attacks, in the published order."""
        return tuple(
            AutoPGD(loss=loss, steps=self.steps, restarts=1, norm=self.norm)
            for loss in ("cross_entropy", "dlr")
        )
