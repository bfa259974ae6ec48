"""BIM, PGD and MIM: cleverhans' steps in one compiled loop.

In Linf the results equal those of cleverhans' own functions bit for bit. Those are not called
because their `sanity_checks` crash on NumPy 2, and their Python loop takes a fifth more time than
the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import tensorflow as tf
from cleverhans.tf2.utils import clip_eta, optimize_linear

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Attack, Box, Crafted, Logits, Threat, bounds, clip_to, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import (
    LOSSES,
    Loss,
    compiled_score,
    cross_entropy,
    finite,
    loss_gradient,
    slopes,
)
from gauntlet.attacks.norms import L2, LINF, NORMS, Norm
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

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        logits, box, _ = threat
        loop = _projected_ascent(logits, cross_entropy, LINF, box)
        images = batch.images
        moved = loop(images, batch.labels, images, epsilon, self.rel_step, self.steps)
        return Crafted(moved, self.steps, 0)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, cross_entropy, batches)


@dataclass(frozen=True)
class PGD(Attack):
    """BIM from random starts (Madry et al. 2018).

    An image keeps its first hit; without one, the restart with the highest loss.

    Attributes:
        steps: gradient evaluations per restart.
        rel_step: step size as a share of epsilon, (0, 1].
        restarts: random starts, uniform in the ball.
        loss: name in `LOSSES`; the margin and DLR do not saturate where the cross entropy does.
        norm: name in `NORMS`, of the budgets. In L2 a step goes along the normalised gradient.
    """

    steps: int
    rel_step: float
    restarts: int
    loss: str
    norm: str

    @property
    def budget_norm(self) -> Norm:
        """The norm of its budgets."""
        return NORMS[self.norm]

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        logits, box, seed = threat
        loss, norm = LOSSES[self.loss], self.budget_norm
        loop, score = _projected_ascent(logits, loss, norm, box), compiled_score(logits, loss)
        best, best_score = batch.images, score(batch.images, batch.labels)
        for restart in range(self.restarts):
            noise = norm.anywhere(batch, child_seed(seed, "pgd", str(restart)), epsilon)
            start = clip_to(box, batch.images + noise)
            tried = loop(batch.images, batch.labels, start, epsilon, self.rel_step, self.steps)
            tried_score = score(tried, batch.labels)
            better = tried_score > best_score
            best = tf.where(better[:, None, None, None], tried, best)
            best_score = tf.where(better, tried_score, best_score)
        return Crafted(best, self.restarts * self.steps, self.restarts + 1)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, LOSSES[self.loss], batches)


@dataclass(frozen=True)
class MIM(Attack):
    """Momentum iterative method (Dong et al. 2018): BIM along the accumulated gradient.

    Attributes:
        steps: gradient evaluations.
        rel_step: step size as a share of epsilon, (0, 1].
        decay: factor of the accumulated gradient per step, >= 0.
    """

    steps: int
    rel_step: float
    decay: float

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        logits, box, _ = threat
        loop = _momentum_ascent(logits, box)
        moved = loop(batch.images, batch.labels, epsilon, self.rel_step, self.steps, self.decay)
        return Crafted(moved, self.steps, 0)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, cross_entropy, batches)


@lru_cache(maxsize=KEPT_MODELS)
def _projected_ascent(logits: Logits, loss: Loss, norm: Norm, box: Box) -> Callable[..., Tensor]:
    """Compile `(images, labels, start, epsilon, rel_step, steps) -> adversarial images`."""
    low, high = bounds(box)
    step_on = _ascended if norm is LINF else _ascended_in_l2
    ascent = tf.autograph.experimental.do_not_convert(partial(loss_gradient, logits, loss))

    def run(
        x: Tensor, labels: Tensor, start: Tensor, epsilon: Tensor, rel_step: Tensor, steps: Tensor
    ) -> Tensor:
        adversarial = start
        for _ in tf.range(tf.cast(steps, tf.int32)):
            gradient = ascent(adversarial, labels)
            step = epsilon * rel_step
            adversarial = step_on(x, adversarial, gradient, step, epsilon, low, high)
        return adversarial

    return _with_scalars_as_tensors(run, images=3)


@lru_cache(maxsize=KEPT_MODELS)
def _momentum_ascent(logits: Logits, box: Box) -> Callable[..., Tensor]:
    """Compile `(images, labels, epsilon, rel_step, steps, decay) -> adversarial images`."""
    low, high = bounds(box)
    loss_ascent = partial(loss_gradient, logits, cross_entropy)
    ascent = tf.autograph.experimental.do_not_convert(loss_ascent)

    def run(
        x: Tensor, labels: Tensor, epsilon: Tensor, rel_step: Tensor, steps: Tensor, decay: Tensor
    ) -> Tensor:
        adversarial, momentum = x, tf.zeros_like(x)
        for _ in tf.range(tf.cast(steps, tf.int32)):
            gradient = finite(ascent(adversarial, labels))
            # The mean stands for the paper's L1 norm: a constant factor does not change a sign.
            size = tf.reduce_mean(tf.abs(gradient), axis=[1, 2, 3], keepdims=True)
            momentum = decay * momentum + gradient / tf.maximum(1e-12, size)
            step = epsilon * rel_step
            adversarial = _moved(x, adversarial, momentum, step, epsilon, low, high)
        return adversarial

    return _with_scalars_as_tensors(run, images=2)


@one_pass
def _ascended(
    x: Tensor,
    adversarial: Tensor,
    gradient: Tensor,
    step: Tensor,
    epsilon: Tensor,
    low: Tensor,
    high: Tensor,
) -> Tensor:
    """Take one step of cleverhans' `projected_gradient_descent`."""
    stepped = adversarial + optimize_linear(finite(gradient), step, np.inf)
    change = clip_eta(tf.clip_by_value(stepped, low, high) - x, np.inf, epsilon)
    return tf.clip_by_value(x + change, low, high)


@one_pass
def _ascended_in_l2(
    x: Tensor,
    adversarial: Tensor,
    gradient: Tensor,
    step: Tensor,
    epsilon: Tensor,
    low: Tensor,
    high: Tensor,
) -> Tensor:
    """Take one step along the normalised gradient; project it on the ball, then on the box."""
    stepped = adversarial + step * L2.steepest(finite(gradient))
    return tf.clip_by_value(x + L2.within(stepped - x, epsilon), low, high)


@one_pass
def _moved(
    x: Tensor,
    adversarial: Tensor,
    momentum: Tensor,
    step: Tensor,
    epsilon: Tensor,
    low: Tensor,
    high: Tensor,
) -> Tensor:
    """Take one step of cleverhans' `momentum_iterative_method`, which clips to the box last."""
    stepped = adversarial + optimize_linear(momentum, step, np.inf)
    return tf.clip_by_value(x + clip_eta(stepped - x, np.inf, epsilon), low, high)


def _with_scalars_as_tensors(run: Callable[..., Tensor], images: int) -> Callable[..., Tensor]:
    """Compile a loop whose arguments after the first `images` ones are numbers.

    They are passed as tensors: for a Python number TensorFlow would trace the loop anew.
    """
    compiled = tf.function(run)

    def call(*args: Tensor) -> Tensor:
        scalars = (tf.constant(a, tf.float32) for a in args[images:])
        return compiled(*args[:images], *scalars)

    return call
