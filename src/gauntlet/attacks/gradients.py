"""Gradients of a loss with respect to the image, compiled once a model through cleverhans.

cleverhans compiles `compute_gradient` for each callable that it is given, so every function here is
kept by model. NaN and infinite gradients become 0: such a pixel stays where it is.
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


def finite_gradient(
    logits: Logits, images: Any, labels: Any, *, loss: Loss = cross_entropy, targeted: bool = False
) -> Any:
    """Return d loss / d image (negated if targeted), traceable, shape of the images."""
    gradient = compute_gradient(logits, loss, images, labels, targeted)
    return tf.where(tf.math.is_finite(gradient), gradient, tf.zeros_like(gradient))


@lru_cache(maxsize=KEPT_MODELS)
def compiled_gradient(logits: Logits, loss: Loss, targeted: bool) -> Callable[[Any, Any], Any]:
    """Return a compiled `(images, labels) -> gradient`."""

    def gradient(images: Any, labels: Any) -> Any:
        return finite_gradient(logits, images, labels, loss=loss, targeted=targeted)

    compiled: Callable[[Any, Any], Any] = tf.function(gradient)
    return compiled
