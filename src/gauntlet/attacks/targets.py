"""Attacks with targets: the wrong classes that they aim at, and the losses that lead there.

A targeted loss rises towards one wrong class per image. What counts is any wrong class, so such an
attack is untargeted as a whole: it tries the classes one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.base import Logits
from gauntlet.attacks.gradients import Loss, misclassified
from gauntlet.catalogue.attacks import TARGETED_DLR_CLASSES
from gauntlet.training.keras_loops import KEPT_MODELS


def logit_difference(targets: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
    """Return the target's logit minus the true one, `(n,)` (Gowal et al. 2019).

    Args:
        targets: classes `(n,)`.
        labels: true classes `(n,)`.
        logits: `(n, classes)`.
    """
    target, true = (tf.gather(logits, c, axis=1, batch_dims=1) for c in (targets, labels))
    return target - true


def targeted_dlr(targets: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
    """Return the logit difference over z_1 - (z_3 + z_4) / 2, `(n,)`; z_i is the i-th largest.

    Neither shift nor scale of the logits changes it (Croce and Hein 2020). Two or three
    classes have no fourth logit; for them this returns the difference.
    """
    difference = logit_difference(targets, labels, logits)
    if logits.shape[1] < TARGETED_DLR_CLASSES:
        return difference
    top = tf.math.top_k(logits, k=TARGETED_DLR_CLASSES).values
    return difference / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)


def likeliest_wrong(labels: Tensor, logits: Tensor, most: int) -> Tensor:
    """Return the wrong classes of the largest logits, the largest first, `(n, k)`.

    k is `most`, or the number of wrong classes if that is less. Of equal logits the lower class
    comes first.
    """
    true = tf.one_hot(labels, logits.shape[1], on_value=True, off_value=False)
    wrong = tf.where(true, np.float32(-np.inf), logits)
    found = tf.math.top_k(wrong, k=min(most, logits.shape[1] - 1)).indices
    return tf.cast(found, labels.dtype)


@lru_cache(maxsize=KEPT_MODELS)
def compiled_targets(
    logits: Logits, loss: Loss, most: int
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Compile `(images, labels) -> (targets, score)`, of one query per image.

    The targets are `likeliest_wrong`; the score `(n,)` is the loss of the first one, infinite where
    the image is misclassified.
    """

    def look(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        z = logits(images, labels)
        targets = likeliest_wrong(labels, z, most)
        value = partial(loss, targets[:, 0])(labels=labels, logits=z)
        return targets, tf.where(misclassified(labels, z), np.float32(np.inf), value)

    compiled: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = tf.function(look, autograph=False)
    return compiled
