"""The contract of every attack: a new one writes `_perturb`, and `_prepare` for shared work."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Logits = Callable[[Any, Any], Any]
"""From images and their true labels to logits `(n, classes)`, differentiable.

The labels matter where a defence rejects inputs: to be rejected is to be classified correctly. One
stable object a model.
"""

Box = tuple[float, float] | None
"""The range that a pixel may take; None where there is no such range (threat model `encoded`)."""

IMAGE_BOX: Box = (0.0, 1.0)

BATCH = 5000
"""Images a compiled call; the last batch is padded, so that nothing is traced twice."""

TOLERANCE = 1e-6
"""What float32 may round beyond epsilon."""


@dataclass(frozen=True)
class AttackResult:
    """Adversarial images at one budget; whoever the threat model names judges them.

    Attributes:
        epsilon: Linf budget, in the units of the images.
        adversarial: float32, shape of the attacked images.
        gradient_calls: gradient evaluations an image, on average; of a Jacobian one a class.
        queries: forward passes an image that are not part of a gradient evaluation, on average.
    """

    epsilon: float
    adversarial: NDArray[np.float32]
    gradient_calls: float
    queries: float


class Crafted(NamedTuple):
    """What an attack made of one batch, and what each image of it cost on average."""

    images: Any
    gradient_calls: float
    queries: float


@dataclass(frozen=True)
class Batch:
    """One padded batch: images and labels as tensors, and where it stands in the whole set."""

    images: Any
    labels: Any
    first: int
    size: int

    def uniform(self, seed: int) -> Any:
        """Draw numbers in [-1, 1), shaped as the images, that do not depend on the batch size."""
        pixels = math.prod(self.images.shape[1:])
        bits = np.random.PCG64(seed)
        bits.advance(self.first * pixels)
        drawn = np.random.Generator(bits).random(self.images.shape)
        return tf.constant(2 * drawn - 1, tf.float32)


@dataclass(frozen=True)
class Attack(ABC):
    """An attack with its whole configuration as fields."""

    bounded: ClassVar[bool] = True
    """False for a published attack that leaves its budget or the box; kept out of worst cases."""

    skips_misclassified: ClassVar[bool] = False
    """True: images that are misclassified already stay as they are; False: attacked like others."""

    @final
    def __call__(
        self,
        logits: Logits,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        epsilons: Sequence[float],
        box: Box = IMAGE_BOX,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> Iterator[AttackResult]:
        """Attack every image at every budget; one result per budget, in the order given.

        Args:
            logits: what the attacker differentiates.
            images: `(n, height, width, channels)`, float32, inside the box; left untouched.
            labels: true class of each image `(n,)`.
            epsilons: Linf budgets >= 0; 0 returns the images themselves.
            box: range of a pixel.
            seed: of the attack's randomness; same seed, same result.
            batch_size: images per compiled call; fewer than `BATCH` for logits of many draws.

        Raises:
            ValueError: images, labels or budgets are not as described.
            AssertionError: the attack broke its budget or the box: a bug in the attack.
        """
        _check(images, labels, epsilons, box)
        batches = list(_batches(images, labels, batch_size or BATCH))
        states = self._prepare(logits, batches, box, seed)
        for epsilon in epsilons:
            crafted = [
                self._bounded_perturb(logits, batch, epsilon, box, state, seed)
                for batch, state in zip(batches, states, strict=True)
            ]
            parts = [c.images[: b.size] for b, c in zip(batches, crafted, strict=True)]
            yield AttackResult(epsilon, np.concatenate(parts), *_average_cost(batches, crafted))

    @final
    def without_gradient(
        self,
        logits: Logits,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        batch_size: int | None = None,
    ) -> NDArray[np.bool_] | None:
        """Tell at which images every pixel of the attack's gradient is 0 or no number, `(n,)`.

        None: it follows none. Ask after the attack: a random defence's draws follow its calls.
        """
        batches = list(_batches(images, labels, batch_size or BATCH))
        if (gradients := self._followed(logits, batches)) is None:
            return None
        pairs = zip(batches, gradients, strict=True)
        return np.concatenate([_is_nowhere(g)[: batch.size] for batch, g in pairs])

    @abstractmethod
    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        """Return adversarial images for one batch at one budget > 0, and what they cost."""

    def _prepare(
        self,
        logits: Logits,  # noqa: ARG002
        batches: Sequence[Batch],
        box: Box,  # noqa: ARG002
        seed: int,  # noqa: ARG002
    ) -> Sequence[Any]:
        """Return what all budgets share, one state per batch."""
        return [None] * len(batches)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any] | None:
        """Return the gradient at each batch's images that the attack sets out along; None: none."""
        del logits, batches
        return None

    def _bounded_perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        if epsilon == 0:
            return Crafted(np.asarray(batch.images), 0, 0)
        crafted = self._perturb(logits, batch, epsilon, box, state, seed)
        if self.bounded:
            _check_budget(type(self).__name__, crafted.images, batch.images, epsilon, box)
        return crafted._replace(images=np.asarray(crafted.images))


def bounds(box: Box) -> tuple[Any, Any]:
    """Return the box as two tensors, infinite where there is no box."""
    low, high = (-math.inf, math.inf) if box is None else box
    return tf.constant(low, tf.float32), tf.constant(high, tf.float32)


def one_pass(update: Callable[..., Any]) -> Callable[..., Any]:
    """Compile an elementwise function into one pass over memory; TensorFlow alone takes nine.

    Products by a sign are exact, so fused arithmetic gives the same bits as cleverhans' own.
    """
    compiled: Callable[..., Any] = tf.function(update, jit_compile=True)
    return compiled


def clip_to(box: Box, images: Any) -> Any:
    """Clip a tensor to the box, if there is one."""
    return images if box is None else tf.clip_by_value(images, *box)


def _batches(
    images: NDArray[np.float32], labels: NDArray[np.int64], batch_size: int
) -> Iterator[Batch]:
    size = min(batch_size, len(images))
    for first in range(0, len(images), size):
        rows: Any = slice(first, first + size)
        if first + size > len(images):
            rows = np.arange(first, first + size) % len(images)  # wraps round: the padding
        valid = min(size, len(images) - first)
        yield Batch(tf.constant(images[rows]), tf.constant(labels[rows]), first, valid)


def _is_nowhere(gradient: Any) -> NDArray[np.bool_]:
    g = np.asarray(gradient)
    return np.asarray(~(np.isfinite(g) & (g != 0)).any(axis=(1, 2, 3)))


def _average_cost(batches: Sequence[Batch], crafted: Sequence[Crafted]) -> tuple[float, float]:
    sizes = [batch.size for batch in batches]
    gradient_calls, queries = (
        float(np.average([c[i] for c in crafted], weights=sizes)) for i in (1, 2)
    )
    return gradient_calls, queries


def _check(
    images: NDArray[np.float32], labels: NDArray[np.int64], epsilons: Sequence[float], box: Box
) -> None:
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


def _check_budget(name: str, adversarial: Any, images: Any, epsilon: float, box: Box) -> None:
    scale = 1.0 if box is not None else max(1.0, float(tf.reduce_max(tf.abs(adversarial))))
    reach = epsilon + TOLERANCE * scale
    if not tf.reduce_min(_kept(adversarial, images, tf.constant(reach), *bounds(box))):
        moved = float(tf.reduce_max(tf.abs(adversarial - images)))
        low, high = float(tf.reduce_min(adversarial)), float(tf.reduce_max(adversarial))
        if not moved <= reach:
            raise AssertionError(f"{name} moved a pixel by {moved}, beyond epsilon {epsilon}")
        raise AssertionError(f"{name} left the box {box}: {low} to {high}")


@one_pass
def _kept(adversarial: Any, images: Any, reach: Any, low: Any, high: Any) -> Any:
    inside = (adversarial >= low) & (adversarial <= high)
    return tf.cast(inside & (tf.abs(adversarial - images) <= reach), tf.uint8)
