"""Losses of logits, and their gradients with respect to the image, compiled through cleverhans.

cleverhans compiles `compute_gradient` for each callable that it is given, so every function here is
kept by model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import tensorflow as tf
from cleverhans.tf2.utils import compute_gradient

from gauntlet.attacks.base import Batch, Logits
from gauntlet.config.tables import DLR_CLASSES
from gauntlet.training.keras_loops import KEPT_MODELS

Loss = Callable[..., Any]
"""`loss(labels=..., logits=...)` -> `(n,)`."""


def cross_entropy(labels: Any, logits: Any) -> Any:
    """Return the softmax cross entropy of logits, as cleverhans' default loss."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def margin(labels: Any, logits: Any) -> Any:
    """Return max of the other logits - the true one, `(n,)`; > 0 is misclassified.

    Unlike the cross entropy it never saturates (Carlini and Wagner 2017, f6).
    """
    true = tf.one_hot(labels, tf.shape(logits)[1], on_value=True, off_value=False)
    others = tf.reduce_max(tf.where(true, -np.inf, logits), axis=1)
    return others - tf.gather(logits, labels, axis=1, batch_dims=1)


def difference_of_logits_ratio(labels: Any, logits: Any) -> Any:
    """Return DLR `(n,)`: the margin over the gap of the first to the third logit.

    Croce and Hein 2020, equation 6: neither shift nor scale of the logits changes it. Of two
    classes there is no third, and with the second in its place the ratio would be -1 or 1
    everywhere, without a gradient: there it is the margin.
    """
    if logits.shape[1] < DLR_CLASSES:
        return margin(labels, logits)
    top = tf.math.top_k(logits, k=DLR_CLASSES).values
    return margin(labels, logits) / (top[:, 0] - top[:, -1] + 1e-12)


def all_gaps(labels: Any, logits: Any) -> Any:
    """Return a sum of each class's logit minus the true one, `(n,)`.

    Its weights differ, so that gradients do not cancel: it has none only where no gap has one.
    """
    true = tf.gather(logits, labels[:, None], axis=1, batch_dims=1)
    weights = tf.sqrt(tf.range(2, 2 + tf.shape(logits)[1], dtype=tf.float32))
    return tf.reduce_sum(weights * (logits - true), axis=1)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "margin": margin,
    "dlr": difference_of_logits_ratio,
}
"""What an untargeted attack may ascend."""


def misclassified(labels: Any, logits: Any) -> Any:
    """Return where the largest logit is not the true one, `(n,)` bool."""
    return tf.argmax(logits, axis=1, output_type=labels.dtype) != labels


def finite(gradient: Any) -> Any:
    """Return a gradient with 0 where it is NaN or infinite: such a pixel stays where it is."""
    return tf.where(tf.math.is_finite(gradient), gradient, tf.zeros_like(gradient))


def loss_gradient(logits: Logits, loss: Loss, images: Any, labels: Any) -> Any:
    """Return the gradient of a loss of the true labels, traceable, shape of the images."""
    return compute_gradient(lambda x: logits(x, labels), loss, images, labels, False)


def slopes(logits: Logits, loss: Loss, batches: Sequence[Batch]) -> Iterator[Any]:
    """Yield the gradient of a loss of the true labels at each batch's images."""
    gradient = compiled_gradient(logits, loss, False)
    return (gradient(batch.images, batch.labels, batch.labels) for batch in batches)


def evaluate(logits: Logits, loss: Loss, images: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Return the gradient of a loss of the true labels, the loss `(n,)`, who is hit `(n,)`.

    Traceable; one forward and one backward pass. The gradient may not be finite: see `finite`.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        z = logits(images, labels)
        value = loss(labels=labels, logits=z)
    gradient = tape.gradient(value, images, unconnected_gradients="zero")
    return gradient, value, misclassified(labels, z)


def score(logits: Logits, loss: Loss, images: Any, labels: Any) -> Any:
    """Return the loss `(n,)`, infinite for an image that is misclassified: traceable."""
    z = logits(images, labels)
    # A hit outranks every loss; among hits the first stays.
    return tf.where(misclassified(labels, z), np.float32(np.inf), loss(labels=labels, logits=z))


@lru_cache(maxsize=KEPT_MODELS)
def compiled_score(logits: Logits, loss: Loss) -> Callable[[Any, Any], Any]:
    """Return a compiled `(images, labels) -> score`."""
    compiled: Callable[[Any, Any], Any] = tf.function(partial(score, logits, loss))
    return compiled


@lru_cache(maxsize=KEPT_MODELS)
def compiled_gradient(logits: Logits, loss: Loss, targeted: bool) -> Callable[[Any, Any, Any], Any]:
    """Return a compiled `(images, labels, aims) -> d loss(aims) / d image`, negated if targeted."""

    def gradient(images: Any, labels: Any, aims: Any) -> Any:
        return compute_gradient(lambda x: logits(x, labels), loss, images, aims, targeted)

    compiled: Callable[[Any, Any, Any], Any] = tf.function(gradient)
    return compiled
