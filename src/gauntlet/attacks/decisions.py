"""Attacks that see decisions alone: the predicted class, and no score.

Such an attack is given `Decisions` in place of `Logits`. Every method that is given logits is final
here, so the code of an attack never holds them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, final

import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Box, Crafted, Logits, Threat
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.minimum_norm import MinimumNormAttack
from gauntlet.training.keras_loops import KEPT_MODELS


@final
class Decisions:
    """Tells the class that the judge would give an image; traceable.

    A rejected image counts as correct (`threat_models.fold_rejection`), so its class is the true
    one. That is why decisions need labels, as logits do. For a random defence the class is that of
    the mean over its draws, as attacks see it.
    """

    def __init__(self, logits: Logits) -> None:
        """Decide by the largest logit; the first one if several are."""

        def decide(images: Tensor, labels: Tensor) -> Tensor:
            return tf.argmax(logits(images, labels), axis=1, output_type=tf.int64)

        self._decide = decide

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return classes `(n,)` int64 for images `(n, height, width, channels)`, labels `(n,)`."""
        return self._decide(images, labels)


@lru_cache(maxsize=KEPT_MODELS)
def decisions_of(logits: Logits) -> Decisions:
    """Return the decisions of a model, always the same object: compiled functions are cached by it.

    They are made here and in no attack.
    """
    return Decisions(logits)


class Ruling(NamedTuple):
    """What an attack is given of its threat model (as in `Threat`), with decisions for logits."""

    decide: Decisions
    box: Box
    seed: int


@dataclass(frozen=True)
class DecisionAttack(MinimumNormAttack):
    """A minimum-norm attack that learns nothing of a model but its decisions.

    Subclasses write `_search_all`, which is given all batches at once: an image of another class is
    a good point to start from, and it may lie in another batch.
    """

    @abstractmethod
    def _search_all(self, ruling: Ruling, batches: Sequence[Batch]) -> Sequence[Crafted]:
        """Return what `MinimumNormAttack._search` would for each batch."""

    @final
    def _prepare(self, threat: Threat, batches: Sequence[Batch]) -> Sequence[Crafted]:
        logits, box, seed = threat
        return self._search_all(Ruling(decisions_of(logits), box, seed), batches)

    @final
    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        return self._prepare(threat, [batch])[0]

    @final
    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: Crafted) -> Crafted:
        return super()._perturb(threat, batch, epsilon, state)

    @final
    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor] | None:
        return None
