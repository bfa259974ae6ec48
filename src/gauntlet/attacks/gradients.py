"""Losses of logits, and their gradients with respect to the image, compiled through cleverhans.

cleverhans compiles `compute_gradient` anew for each callable that it is given, so the functions
made here are cached by model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from cleverhans.tf2.utils import compute_gradient

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Logits
from gauntlet.attacks.batch import Batch
from gauntlet.catalogue.attacks import DLR_CLASSES
from gauntlet.training.keras_loops import KEPT_MODELS

Loss: TypeAlias = Callable[..., Tensor]
"""`loss(labels=..., logits=...)` of labels `(n,)` and logits `(n, classes)`: `(n,)`.

cleverhans passes both by name.
"""


def cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """Return the softmax cross entropy of logits `(n,)`, cleverhans' default loss."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def margin(labels: Tensor, logits: Tensor) -> Tensor:
    """Return the largest other logit minus the true one, `(n,)`; > 0 is misclassified.

    Unlike the cross entropy it never saturates (Carlini and Wagner 2017, f6).
    """
    true = tf.one_hot(labels, tf.shape(logits)[1], on_value=True, off_value=False)
    others = tf.reduce_max(tf.where(true, -np.inf, logits), axis=1)
    return others - tf.gather(logits, labels, axis=1, batch_dims=1)


def difference_of_logits_ratio(labels: Tensor, logits: Tensor) -> Tensor:
    """Return DLR `(n,)`: the margin divided by the largest logit minus the third largest.

    Neither shift nor scale of the logits changes it (Croce and Hein 2020, equation 6). Two classes
    have no third logit, and with the second in its place the ratio would be -1 or 1 everywhere,
    without a gradient. For two classes this returns the margin.
    """
    if logits.shape[1] < DLR_CLASSES:
        return margin(labels, logits)
    top = tf.math.top_k(logits, k=DLR_CLASSES).values
    return margin(labels, logits) / (top[:, 0] - top[:, -1] + 1e-12)


def all_gaps(labels: Tensor, logits: Tensor) -> Tensor:
    """Return a weighted sum of each class's logit minus the true one, `(n,)`.

    The weights are square roots of integers, so that gradients of different gaps do not cancel: the
    sum has no gradient only where no gap has one.
    """
    true = tf.gather(logits, labels[:, None], axis=1, batch_dims=1)
    weights = tf.sqrt(tf.range(2, 2 + tf.shape(logits)[1], dtype=tf.float32))
    return tf.reduce_sum(weights * (logits - true), axis=1)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "margin": margin,
    "dlr": difference_of_logits_ratio,
}
"""Losses that an untargeted attack may ascend, by the name that its config gives."""


def misclassified(labels: Tensor, logits: Tensor) -> Tensor:
    """Tell where the largest logit is not the true one, `(n,)` bool."""
    return tf.argmax(logits, axis=1, output_type=labels.dtype) != labels


def finite(gradient: Tensor) -> Tensor:
    """Return a gradient with 0 in place of NaN and infinity: such a pixel does not move."""
    return tf.where(tf.math.is_finite(gradient), gradient, tf.zeros_like(gradient))


def loss_gradient(logits: Logits, loss: Loss, images: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient of a loss of the true labels, shaped as the images; traceable."""
    return _gradient(logits, loss, False, images, labels, labels)


def slopes(logits: Logits, loss: Loss, batches: Sequence[Batch]) -> Iterator[Tensor]:
    """Yield the gradient of a loss of the true labels at each batch's images."""
    gradient = compiled_gradient(logits, loss, False)
    return (gradient(batch.images, batch.labels, batch.labels) for batch in batches)


def evaluate(
    logits: Logits, loss: Loss, images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradient of a loss of the true labels, the loss, and where the label is missed.

    Shapes: as the images, `(n,)`, `(n,)`. Traceable; one forward and one backward pass. The
    gradient may hold NaN or infinity: see `finite`.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        z = logits(images, labels)
        value = loss(labels=labels, logits=z)
    gradient = tape.gradient(value, images, unconnected_gradients="zero")
    return gradient, value, misclassified(labels, z)


def score(logits: Logits, loss: Loss, images: Tensor, labels: Tensor) -> Tensor:
    """Return the loss `(n,)`, infinite where the image is misclassified; traceable."""
    z = logits(images, labels)
    # So a hit outranks every loss, and a later hit does not outrank the first.
    return tf.where(misclassified(labels, z), np.float32(np.inf), loss(labels=labels, logits=z))


@lru_cache(maxsize=KEPT_MODELS)
def compiled_score(logits: Logits, loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    """Compile `score` of a model and a loss: `(images, labels) -> (n,)`."""
    compiled: Callable[[Tensor, Tensor], Tensor] = tf.function(
        partial(score, logits, loss), autograph=False
    )
    return compiled


@lru_cache(maxsize=KEPT_MODELS)
def compiled_gradient(
    logits: Logits, loss: Loss, targeted: bool
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Compile `(images, labels, aims) -> d loss(aims) / d image`, negated if targeted.

    `aims` are the classes that the loss is of; `labels` are the true ones, which logits may need.
    """
    compiled: Callable[[Tensor, Tensor, Tensor], Tensor] = tf.function(
        partial(_gradient, logits, loss, targeted), autograph=False
    )
    return compiled


def _gradient(
    logits: Logits, loss: Loss, targeted: bool, images: Tensor, labels: Tensor, aims: Tensor
) -> Tensor:
    """Return d loss(aims) / d image: 0 where there is no way back, as through a filter that rounds.

    TensorFlow knows no gradient there, and cleverhans returns None.
    """
    found = compute_gradient(lambda x: logits(x, labels), loss, images, aims, targeted)
    return tf.zeros_like(images) if found is None else found
