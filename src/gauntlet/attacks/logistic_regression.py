"""The first paper's attack on logistic regression (section 5.2.1), through any logits.

delta = epsilon * g / max(g) with the *signed* maximum, one step, probabilities of the clean image,
no clipping: as published, a pixel may move further than epsilon and leave the box. Budgets are grey
levels 0..255; here they arrive divided by 255, like every other.

For a regression without intercept, weights w_c and wbar = sum_c p_c w_c:
non-targeted g = sum_{k != y} (w_k - wbar), the gradient of sum_{k != y} log p_k;
targeted g = w_target - wbar, the gradient of log p_target.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.attacks.base import Attack, Batch, Box, Crafted, Logits, clip_to
from gauntlet.attacks.gradients import compiled_gradient, finite, slopes
from gauntlet.config.base import GREY

Rule = Literal["non_targeted", "natural", "non_natural", "one_target"]


@dataclass(frozen=True)
class LogisticRegressionAttack(Attack):
    """One target rule of the attack.

    Attributes:
        rule: `natural` aims each digit at the class that a non-targeted run most often turned it
            into, `non_natural` at the class least often, `one_target` all digits at `target`.
        variant: `gradient` is g / max(g), `sign` is sign(g).
        target: for `one_target`.
        targets_at: grey level of the non-targeted run (variant `gradient`) that finds the targets.
        clip: clip to the box; the published attack does not.
    """

    bounded: ClassVar[bool] = False

    rule: Rule
    variant: Literal["gradient", "sign"]
    target: int
    targets_at: float
    clip: bool

    def _prepare(
        self, logits: Logits, batches: Sequence[Batch], box: Box, seed: int
    ) -> Sequence[Any]:
        del box, seed
        return [_step(gradient, self.variant) for gradient in self._followed(logits, batches)]

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any]:
        if self.rule == "non_targeted":
            return slopes(logits, other_classes, batches)
        table = self.targets(logits, batches)
        gradient = compiled_gradient(logits, this_class, False)
        return (gradient(b.images, b.labels, tf.gather(table, b.labels)) for b in batches)

    def targets(self, logits: Logits, batches: Sequence[Batch]) -> NDArray[np.int64]:
        """Return the target of each class, `(classes,)`."""
        if self.rule == "one_target":
            n_classes = int(logits(batches[0].images[:1], batches[0].labels[:1]).shape[1])
            return np.full(n_classes, self.target, np.int64)
        fooled = sum(_fooled_table(logits, b, self.targets_at / GREY) for b in batches)
        return choose_targets(np.asarray(fooled), natural=self.rule == "natural")

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del logits, seed
        moved = batch.images + epsilon * state
        calls = (2, 1) if self.rule in ("natural", "non_natural") else (1, 0)
        return Crafted(clip_to(box, moved) if self.clip else moved, *calls)


def choose_targets(fooled: NDArray[np.int64], *, natural: bool) -> NDArray[np.int64]:
    """Choose a target for each class from counts `(true class, fooled class)`, diagonal ignored.

    Rows become per cent, rounded to integers as published; ties go to the first class.
    """
    counts = fooled.astype(np.float64)
    np.fill_diagonal(counts, 0)
    shares = np.round(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    np.fill_diagonal(shares, -1 if natural else np.inf)
    return np.asarray(shares.argmax(axis=1) if natural else shares.argmin(axis=1))


def other_classes(labels: Any, logits: Any) -> Any:
    """Return the sum of log probabilities of all classes but the true one, `(n,)`."""
    log_p = tf.nn.log_softmax(logits)
    return tf.reduce_sum(log_p, axis=1) - this_class(labels, logits)


def this_class(labels: Any, logits: Any) -> Any:
    """Return the log probability of one class per image, `(n,)`."""
    return tf.gather(tf.nn.log_softmax(logits), labels, axis=1, batch_dims=1)


def _step(gradient: Any, variant: str) -> Any:
    g = finite(gradient)
    if variant == "sign":
        return tf.sign(g)
    largest = tf.reduce_max(g, axis=[1, 2, 3], keepdims=True)
    # A zero gradient moves nothing; the published code would divide by zero there.
    return tf.math.divide_no_nan(g, largest)


def _fooled_table(logits: Logits, batch: Batch, epsilon: float) -> NDArray[np.int64]:
    (gradient,) = slopes(logits, other_classes, [batch])
    step = _step(gradient, "gradient")
    z = logits(batch.images + epsilon * step, batch.labels)[: batch.size]
    table = np.zeros((z.shape[1], z.shape[1]), np.int64)
    np.add.at(table, (batch.labels[: batch.size].numpy(), np.argmax(z, axis=1)), 1)
    return table
