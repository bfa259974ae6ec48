"""A linear model whose nearest adversarial images are known exactly."""

from __future__ import annotations

from functools import cache

import numpy as np
import tensorflow as tf
from models import N_CLASSES, SHAPE, N, blobs
from numpy.typing import NDArray

from gauntlet.arrays import Images, Labels, Tensor

PIXELS = int(np.prod(SHAPE))
WEIGHTS = np.random.default_rng(0).normal(size=(PIXELS, N_CLASSES)).astype(np.float32)


def linear(images: Tensor, labels: Tensor) -> Tensor:
    """Return logits `(n, 3)`, linear in the images."""
    return tf.reshape(images - 0.4, (-1, PIXELS)) @ WEIGHTS


def linear_of_two(images: Tensor, labels: Tensor) -> Tensor:
    """Return logits `(n, 2)`: there is one boundary, so no search can follow the wrong one."""
    return linear(images, labels)[:, :2]


LINEAR = {3: linear, 2: linear_of_two}
"""Number of classes -> model."""


@cache
def attacked(classes: int) -> tuple[Images, Labels]:
    """Return images with their predicted classes; half of them are bright and meet the box."""
    images = blobs(N)[0].copy()
    images[::2] = (2 * images[::2]).clip(0, 1)
    return images, np.argmax(LINEAR[classes](images, None), axis=1).astype(np.int64)


def shortest(norm: str, classes: int) -> NDArray[np.float64]:
    """Return the distance of the nearest boundary inside the box from each image, `(n,)`."""
    images, labels = attacked(classes)
    flat, z = images.reshape(N, -1).astype(np.float64), linear(images, None).numpy()
    found = np.full((N, classes), np.inf)
    for i, true in enumerate(labels):
        for other in set(range(classes)) - {int(true)}:
            normal = (WEIGHTS[:, other] - WEIGHTS[:, true]).astype(np.float64)
            found[i, other] = _distance(flat[i], normal, z[i, true] - z[i, other], norm)
    return found.min(axis=1)


def _distance(point: NDArray, normal: NDArray, gap: float, norm: str) -> float:
    """Return the least norm of a change with normal . change = gap, by bisection of the shift.

    Every pixel moves towards the plane by the shift (Linf) or by shift x |normal| (L2), at most to
    the edge of the box.
    """
    room = np.where(normal > 0, 1 - point, point)
    pace = np.abs(normal) if norm == "l2" else np.ones_like(normal)
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        closed = np.abs(normal) @ np.minimum(middle * pace, room)
        low, high = (middle, high) if closed < gap else (low, middle)
    change = np.minimum(high * pace, room)
    if np.abs(normal) @ change < gap - 1e-9:
        return np.inf
    return float(np.linalg.norm(change, np.inf if norm == "linf" else 2))
