"""Gradients of a loss with respect to the image, compiled once a model through cleverhans.

cleverhans compiles `compute_gradient` for each callable that it is given, so every function here is
kept by model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import tensorflow as tf
from cleverhans.tf2.utils import compute_gradient

from gauntlet.attacks.base import Logits
from gauntlet.networks import KEPT_MODELS

Loss = Callable[..., Any]
"""`loss(labels=..., logits=...)` -> `(n,)`."""


def cross_entropy(labels: Any, logits: Any) -> Any:
    """Return the softmax cross entropy of logits, as cleverhans' default loss."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def finite(gradient: Any) -> Any:
    """Return a gradient with 0 where it is NaN or infinite: such a pixel stays where it is."""
    return tf.where(tf.math.is_finite(gradient), gradient, tf.zeros_like(gradient))


def loss_gradient(logits: Logits, images: Any, labels: Any) -> Any:
    """Return the gradient of the cross entropy, traceable, shape of the images."""
    return compute_gradient(logits, cross_entropy, images, labels, False)


@lru_cache(maxsize=KEPT_MODELS)
def compiled_gradient(logits: Logits, loss: Loss, targeted: bool) -> Callable[[Any, Any], Any]:
    """Return a compiled `(images, labels) -> d loss / d image`, negated if targeted."""

    def gradient(images: Any, labels: Any) -> Any:
        return compute_gradient(logits, loss, images, labels, targeted)

    compiled: Callable[[Any, Any], Any] = tf.function(gradient)
    return compiled
