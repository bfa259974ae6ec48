"""BIM, PGD and MIM: cleverhans' steps in one compiled loop, the budget a tensor (no retracing).

The results equal cleverhans' own functions bit for bit; their `sanity_checks` crash on NumPy 2 and
their Python loop costs a fifth more than the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from cleverhans.tf2.utils import clip_eta, optimize_linear

from gauntlet.attacks.base import (
    Attack,
    Batch,
    Box,
    Crafted,
    Logits,
    bounds,
    clip_to,
    one_pass,
)
from gauntlet.attacks.gradients import (
    LOSSES,
    Loss,
    compiled_score,
    cross_entropy,
    finite,
    loss_gradient,
    slopes,
)
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS


@dataclass(frozen=True)
class BIM(Attack):
    """Basic iterative method (Kurakin et al. 2016): `steps` FGSM steps, projected to the budget.

    Attributes:
        steps: gradient evaluations.
        rel_step: step size as a share of epsilon, (0, 1].
    """

    steps: int
    rel_step: float

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del state, seed
        loop = _projected_ascent(logits, cross_entropy, box)
        images = batch.images
        moved = loop(images, batch.labels, images, epsilon, self.rel_step, self.steps)
        return Crafted(moved, self.steps, 0)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any]:
        return slopes(logits, cross_entropy, batches)


@dataclass(frozen=True)
class PGD(Attack):
    """BIM from random starts (Madry et al. 2018).

    An image keeps its first hit; without one, the restart with the highest loss.

    Attributes:
        steps: gradient evaluations a restart.
        rel_step: step size as a share of epsilon, (0, 1].
        restarts: random starts, uniform in the ball.
        loss: name in `LOSSES`; the margin and DLR (of two classes the margin) do not saturate
            where the cross entropy does.
    """

    skips_misclassified: ClassVar[bool] = True

    steps: int
    rel_step: float
    restarts: int
    loss: str = "cross_entropy"

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del state
        loss = LOSSES[self.loss]
        loop, score = _projected_ascent(logits, loss, box), compiled_score(logits, loss)
        best, best_score = batch.images, score(batch.images, batch.labels)
        for restart in range(self.restarts):
            noise = epsilon * batch.uniform(child_seed(seed, "pgd", str(restart)))
            start = clip_to(box, batch.images + noise)
            tried = loop(batch.images, batch.labels, start, epsilon, self.rel_step, self.steps)
            tried_score = score(tried, batch.labels)
            better = tried_score > best_score
            best = tf.where(better[:, None, None, None], tried, best)
            best_score = tf.where(better, tried_score, best_score)
        return Crafted(best, self.restarts * self.steps, self.restarts + 1)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any]:
        return slopes(logits, LOSSES[self.loss], batches)


@dataclass(frozen=True)
class MIM(Attack):
    """Momentum iterative method (Dong et al. 2018): BIM along the accumulated gradient.

    Attributes:
        steps: gradient evaluations.
        rel_step: step size as a share of epsilon, (0, 1].
        decay: of the accumulated gradient, >= 0.
    """

    steps: int
    rel_step: float
    decay: float

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del state, seed
        loop = _momentum_ascent(logits, box)
        moved = loop(batch.images, batch.labels, epsilon, self.rel_step, self.steps, self.decay)
        return Crafted(moved, self.steps, 0)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any]:
        return slopes(logits, cross_entropy, batches)


@lru_cache(maxsize=KEPT_MODELS)
def _projected_ascent(logits: Logits, loss: Loss, box: Box) -> Callable[..., Any]:
    low, high = bounds(box)

    def run(x: Any, labels: Any, start: Any, epsilon: Any, rel_step: Any, steps: Any) -> Any:
        adversarial = start
        for _ in tf.range(tf.cast(steps, tf.int32)):
            gradient = loss_gradient(logits, loss, adversarial, labels)
            step = epsilon * rel_step
            adversarial = _ascended(x, adversarial, gradient, step, epsilon, low, high)
        return adversarial

    return _with_scalars_as_tensors(run, images=3)


@lru_cache(maxsize=KEPT_MODELS)
def _momentum_ascent(logits: Logits, box: Box) -> Callable[..., Any]:
    low, high = bounds(box)

    def run(x: Any, labels: Any, epsilon: Any, rel_step: Any, steps: Any, decay: Any) -> Any:
        adversarial, momentum = x, tf.zeros_like(x)
        for _ in tf.range(tf.cast(steps, tf.int32)):
            gradient = finite(loss_gradient(logits, cross_entropy, adversarial, labels))
            size = tf.reduce_mean(tf.abs(gradient), axis=[1, 2, 3], keepdims=True)
            momentum = decay * momentum + gradient / tf.maximum(1e-12, size)
            step = epsilon * rel_step
            adversarial = _moved(x, adversarial, momentum, step, epsilon, low, high)
        return adversarial

    return _with_scalars_as_tensors(run, images=2)


@one_pass
def _ascended(
    x: Any, adversarial: Any, gradient: Any, step: Any, epsilon: Any, low: Any, high: Any
) -> Any:
    """One step of cleverhans' `projected_gradient_descent`."""
    stepped = adversarial + optimize_linear(finite(gradient), step, np.inf)
    change = clip_eta(tf.clip_by_value(stepped, low, high) - x, np.inf, epsilon)
    return tf.clip_by_value(x + change, low, high)


@one_pass
def _moved(
    x: Any, adversarial: Any, momentum: Any, step: Any, epsilon: Any, low: Any, high: Any
) -> Any:
    """One step of cleverhans' `momentum_iterative_method`: the box comes last."""
    stepped = adversarial + optimize_linear(momentum, step, np.inf)
    return tf.clip_by_value(x + clip_eta(stepped - x, np.inf, epsilon), low, high)


def _with_scalars_as_tensors(run: Callable[..., Any], images: int) -> Callable[..., Any]:
    compiled = tf.function(run)

    def call(*args: Any) -> Any:
        scalars = (tf.constant(a, tf.float32) for a in args[images:])
        return compiled(*args[:images], *scalars)

    return call
