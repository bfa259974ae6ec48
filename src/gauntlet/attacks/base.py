"""The contract of every attack.

A new attack writes `_perturb`, and `_prepare` if its budgets share work. `Attack.__call__` does the
rest: it validates, cuts batches, checks budget and box, and averages costs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar, final

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Flags, Images, Labels, Tensor
from gauntlet.attacks.batch import Batch, batches_of
from gauntlet.attacks.budget import check_kept
from gauntlet.attacks.norms import LINF, Norm

P = ParamSpec("P")
R = TypeVar("R")

Logits: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From images and their true labels to logits `(n, classes)`, differentiable.

A rejected image counts as correct, so a defence that rejects folds its rejection logit into the
true class, and for that needs the label (`threat_models.fold_rejection`). Other models ignore it.
Pass the same object for the same model: compiled functions are cached by it.
"""

Box: TypeAlias = tuple[float, float] | None
"""Lowest and highest value of a pixel; None where pixels have no range (threat model `encoded`)."""

IMAGE_BOX: Box = (0.0, 1.0)

BATCH = 5000
"""Batch size of a compiled call. The last batch is padded to it so that TensorFlow does not
retrace."""


class Threat(NamedTuple):
    """What an attack is given of its threat model, the same for all batches and budgets.

    Attributes:
        logits: the model that it attacks.
        box: range that its images must keep.
        seed: of its random numbers.
    """

    logits: Logits
    box: Box
    seed: int


@dataclass(frozen=True)
class AttackResult:
    """Adversarial images at one budget. The threat model names the model that judges them.

    Attributes:
        epsilon: budget in the attack's norm (`Attack.budget_norm`), in the units of the images.
        adversarial: shape of the attacked images.
        gradient_calls: gradient evaluations per image, on average; a Jacobian counts once per
            class.
        queries: forward passes per image outside of gradient evaluations, on average.
    """

    epsilon: float
    adversarial: Images
    gradient_calls: float
    queries: float


class Crafted(NamedTuple):
    """What an attack made of one batch, and the average cost per image (as in `AttackResult`)."""

    images: Tensor
    gradient_calls: float
    queries: float


@dataclass(frozen=True)
class Attack(ABC):
    """An attack with its whole configuration as fields."""

    @final
    def __call__(
        self,
        logits: Logits,
        images: Images,
        labels: Labels,
        *,
        epsilons: Sequence[float],
        box: Box = IMAGE_BOX,
        seed: int = 0,
        batch_size: int | None = None,
        keeps_budget: bool = True,
    ) -> Iterator[AttackResult]:
        """Attack every image at every budget; one result per budget, in the order given.

        Args:
            logits: what the attacker sees of the model.
            images: `(n, height, width, channels)`, float32, inside the box; left untouched.
            labels: true class of each image `(n,)`.
            epsilons: budgets >= 0 in the attack's norm; 0 returns the images themselves.
            box: range of a pixel.
            seed: of the attack's randomness; same seed, same result.
            batch_size: images per compiled call, `BATCH` if None; fewer where the logits average
                many draws, each of which takes a row.
            keeps_budget: False for a published attack that leaves its budget or the box; neither is
                checked then.

        Raises:
            ValueError: images, labels or budgets are not as described.
            AssertionError: the attack broke its budget or the box, which is a bug in the attack.
        """
        _check(images, labels, epsilons, box)
        threat = Threat(logits, box, seed)
        batches = list(batches_of(images, labels, batch_size or BATCH))
        states = self._prepare(threat, batches)
        for epsilon in epsilons:
            crafted = [
                self._perturb_and_check(threat, batch, epsilon, state, keeps_budget)
                for batch, state in zip(batches, states, strict=True)
            ]
            parts = [c.images[: b.size] for b, c in zip(batches, crafted, strict=True)]
            yield AttackResult(epsilon, np.concatenate(parts), *_average_cost(batches, crafted))

    @final
    def without_gradient(
        self,
        logits: Logits,
        images: Images,
        labels: Labels,
        *,
        batch_size: int | None = None,
    ) -> Flags | None:
        """Tell at which images every pixel of the attack's gradient is 0 or not finite.

        None if the attack follows no gradient. Call this after the attack: each call advances a
        random defence's draws, and so would change what the attack sees.
        """
        batches = list(batches_of(images, labels, batch_size or BATCH))
        if (gradients := self._followed(logits, batches)) is None:
            return None
        pairs = zip(batches, gradients, strict=True)
        return np.concatenate([_is_nowhere(g)[: batch.size] for batch, g in pairs])

    @property
    def budget_norm(self) -> Norm:
        """The norm of its budgets: Linf, unless it says otherwise."""
        return LINF

    @abstractmethod
    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: Any) -> Crafted:
        """Return adversarial images for one batch at one budget > 0, and what they cost.

        `state` is what `_prepare` returned for this batch; each attack says its own type.
        """

    def _prepare(self, threat: Threat, batches: Sequence[Batch]) -> Sequence[Any]:
        """Return what all budgets share, one state per batch."""
        return [None] * len(batches)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor] | None:
        """Return the gradient that the attack follows at the clean images, one tensor per batch.

        None if it follows none.
        """
        return None

    def _perturb_and_check(
        self, threat: Threat, batch: Batch, epsilon: float, state: Any, keeps_budget: bool
    ) -> Crafted:
        if epsilon == 0:
            return Crafted(np.asarray(batch.images), 0, 0)
        crafted = self._perturb(threat, batch, epsilon, state)
        if keeps_budget:
            name, limits = type(self).__name__, bounds(threat.box)
            check_kept(name, self.budget_norm, crafted.images, batch.images, epsilon, *limits)
        return crafted._replace(images=np.asarray(crafted.images))


def bounds(box: Box) -> tuple[Tensor, Tensor]:
    """Return the box as two tensors, infinite where there is no box."""
    low, high = (-math.inf, math.inf) if box is None else box
    return tf.constant(low, tf.float32), tf.constant(high, tf.float32)


def one_pass(update: Callable[P, R]) -> Callable[P, R]:
    """Compile an elementwise function into one pass over memory, not one per operation.

    It is traced as it stands: no `len`, condition or loop of Python's over a tensor.

    XLA fuses a product with the sum that follows. Where a factor is a sign the product is exact, so
    steps along signs give the same bits as cleverhans.
    """
    compiled: Callable[P, R] = tf.function(update, jit_compile=True, autograph=False)
    return compiled


def clip_to(box: Box, images: Tensor) -> Tensor:
    """Clip a tensor to the box, if there is one."""
    return images if box is None else tf.clip_by_value(images, *box)


def _is_nowhere(gradient: Tensor) -> Flags:
    """Tell which images have no pixel with a finite gradient other than 0."""
    g = np.asarray(gradient)
    return np.asarray(~(np.isfinite(g) & (g != 0)).any(axis=(1, 2, 3)))


def _average_cost(batches: Sequence[Batch], crafted: Sequence[Crafted]) -> tuple[float, float]:
    sizes = [batch.size for batch in batches]
    gradient_calls, queries = (
        float(np.average([c[i] for c in crafted], weights=sizes)) for i in (1, 2)
    )
    return gradient_calls, queries


def _check(images: Images, labels: Labels, epsilons: Sequence[float], box: Box) -> None:
    if images.ndim != 4 or images.dtype != np.float32 or not len(images):
        raise ValueError(
            f"images must be float32 (n, h, w, c), n > 0; received {images.dtype} {images.shape}"
        )
    if labels.shape != (len(images),):
        raise ValueError(f"labels must be ({len(images)},); received {labels.shape}")
    if any(not 0 <= epsilon < math.inf for epsilon in epsilons):
        raise ValueError(f"each epsilon must be >= 0 and finite; received {list(epsilons)}")
    if box is not None and not (images.min() >= box[0] and images.max() <= box[1]):
        raise ValueError(f"images must lie in {box}; received {images.min()} to {images.max()}")
