"""The first paper's attack on logistic regression (section 5.2.1), through any logits.

The attack adds delta = epsilon * g / max(g), in one step and without clipping; the maximum is
*signed*, the gradient g uses the probabilities of the clean image. So, as published, a pixel may
move further than epsilon and leave the box. The paper's budgets are grey levels 0..255; here they
arrive divided by 255, like the budgets of other attacks.

For a regression without intercept, with weights w_c and wbar = sum_c p_c w_c:
non-targeted: g = sum_{k != y} (w_k - wbar), the gradient of sum_{k != y} log p_k;
targeted: g = w_target - wbar, the gradient of log p_target.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Counts, Labels, Tensor
from gauntlet.attacks.base import Attack, Crafted, Logits, Threat, clip_to
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import compiled_gradient, finite, slopes
from gauntlet.catalogue.units import GREY_LEVELS

Rule = Literal["non_targeted", "natural", "non_natural", "one_target"]


@dataclass(frozen=True)
class LogisticRegressionAttack(Attack):
    """The attack under one rule that chooses the target classes.

    Attributes:
        rule: `non_targeted` has no target. `natural` aims each class at the one that a non-targeted
            run most often turns it into, `non_natural` at the one least often, `one_target` aims
            all at `target`.
        variant: `gradient` steps along g / max(g), `sign` along sign(g).
        target: class that `one_target` aims at.
        targets_at: budget, in grey levels, of the non-targeted run that finds the targets of
            `natural` and `non_natural`; that run has the variant `gradient`.
        clip: whether to clip to the box; the published attack does not.
    """

    rule: Rule
    variant: Literal["gradient", "sign"]
    clip: bool
    target: int = 0
    targets_at: float | None = None

    def _prepare(self, threat: Threat, batches: Sequence[Batch]) -> Sequence[Tensor]:
        gradients = self._followed(threat.logits, batches)
        return [_step(gradient, self.variant) for gradient in gradients]

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        if self.rule == "non_targeted":
            return slopes(logits, other_classes, batches)
        table = self.targets(logits, batches)
        gradient = compiled_gradient(logits, this_class, False)
        return (gradient(b.images, b.labels, tf.gather(table, b.labels)) for b in batches)

    def targets(self, logits: Logits, batches: Sequence[Batch]) -> Labels:
        """Return the target of each class, `(classes,)`."""
        if self.rule == "one_target":
            n_classes = int(logits(batches[0].images[:1], batches[0].labels[:1]).shape[1])
            return np.full(n_classes, self.target, np.int64)
        assert self.targets_at is not None  # noqa: S101 -- the catalogue gives it to these rules
        epsilon = self.targets_at / GREY_LEVELS.per_range
        fooled = sum(_fooled_table(logits, batch, epsilon) for batch in batches)
        return choose_targets(np.asarray(fooled), natural=self.rule == "natural")

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: Tensor) -> Crafted:
        moved = batch.images + epsilon * state
        # The run that finds the targets takes one more gradient, and one query to see its outcome.
        calls = (2, 1) if self.rule in ("natural", "non_natural") else (1, 0)
        return Crafted(clip_to(threat.box, moved) if self.clip else moved, *calls)


def choose_targets(fooled: Counts, *, natural: bool) -> Labels:
    """Choose a target for each class, `(classes,)`, from counts `(true class, predicted class)`.

    The diagonal, which counts failures, is ignored. Rows are turned into whole per cents as in the
    paper, and the first of equal classes wins.
    """
    counts = fooled.astype(np.float64)
    np.fill_diagonal(counts, 0)
    shares = np.round(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    np.fill_diagonal(shares, -1 if natural else np.inf)
    return np.asarray(shares.argmax(axis=1) if natural else shares.argmin(axis=1))


def other_classes(labels: Tensor, logits: Tensor) -> Tensor:
    """Return the sum of log probabilities of all classes but the true one, `(n,)`."""
    log_p = tf.nn.log_softmax(logits)
    return tf.reduce_sum(log_p, axis=1) - this_class(labels, logits)


def this_class(labels: Tensor, logits: Tensor) -> Tensor:
    """Return the log probability of one class per image, `(n,)`."""
    return tf.gather(tf.nn.log_softmax(logits), labels, axis=1, batch_dims=1)


def _step(gradient: Tensor, variant: str) -> Tensor:
    """Return the step at epsilon 1, shaped as the images."""
    g = finite(gradient)
    if variant == "sign":
        return tf.sign(g)
    largest = tf.reduce_max(g, axis=[1, 2, 3], keepdims=True)
    # A zero gradient moves nothing; the published code would divide by zero there.
    return tf.math.divide_no_nan(g, largest)


def _fooled_table(logits: Logits, batch: Batch, epsilon: float) -> Counts:
    """Count what a non-targeted run turns each class into, `(true class, predicted class)`."""
    (gradient,) = slopes(logits, other_classes, [batch])
    step = _step(gradient, "gradient")
    z = logits(batch.images + epsilon * step, batch.labels)[: batch.size]
    table = np.zeros((z.shape[1], z.shape[1]), np.int64)
    np.add.at(table, (batch.labels[: batch.size].numpy(), np.argmax(z, axis=1)), 1)
    return table
