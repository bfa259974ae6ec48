"""APGD's algorithm written out for one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.attacks.auto_pgd import checkpoints
from gauntlet.attacks.base import Logits
from gauntlet.attacks.gradients import Loss, evaluate


class Walk(NamedTuple):
    """The best point, its loss (infinite for a hit), and how often the step was halved."""

    best: np.ndarray
    loss: float
    halvings: int


Look = Callable[[np.ndarray], tuple[np.ndarray, float]]
"""From a point to its gradient and its loss; the loss of a hit is infinite."""


@lru_cache
def _compiled(logits: Logits, loss: Loss) -> Callable[..., tuple[tf.Tensor, ...]]:
    def run(x, label, aims):
        return evaluate(logits, partial(loss, *aims), x, label)

    return tf.function(run)


def looking(logits: Logits, loss: Loss, label: int, aims: Sequence[int] = ()) -> Look:
    """Return what looks at points of one image, whose loss may have target classes."""
    true, *targets = (tf.constant([c], tf.int64) for c in (label, *aims))

    def look(x: np.ndarray) -> tuple[np.ndarray, float]:
        g, f, hit = _compiled(logits, loss)(tf.constant(x[None]), true, targets)
        return g[0].numpy(), np.inf if hit[0] else float(f[0])

    return look


def signs(gradient: np.ndarray) -> np.ndarray:
    """Return the step of size 1 that a gradient asks for, in Linf."""
    return np.sign(gradient)


def within_linf(change: np.ndarray, epsilon: float) -> np.ndarray:
    """Return the nearest change within a Linf budget."""
    return np.clip(change, -epsilon, epsilon)


def algorithm_1(
    look: Look,
    image: np.ndarray,
    start: np.ndarray,
    epsilon: float,
    steps: int,
    direction: Callable[[np.ndarray], np.ndarray] = signs,
    within: Callable[[np.ndarray, float], np.ndarray] = within_linf,
) -> Walk:
    """Walk from `start` as far as the first hit (Croce and Hein 2020, algorithm 1)."""

    def project(x):
        return np.clip(image + within(x - image, epsilon), 0, 1).astype(np.float32)

    step, x_max, f_max, checked = 2 * epsilon, start, -np.inf, np.inf
    points, losses, halved, halvings, last = [start], [], True, 0, 0
    for k in range(steps + 1):
        x = points[-1]
        g, f = look(x)
        losses.append(f)
        if f > f_max:
            x_max, g_max, f_max = x, g, f
        if f == np.inf:
            break
        if k in checkpoints(steps):
            rises = sum(losses[i] > losses[i - 1] for i in range(last + 1, k + 1))
            halved = rises <= 0.75 * (k - last) or (not halved and f_max <= checked)
            last, checked = k, f_max
            if halved:
                step, halvings, g = step / 2, halvings + 1, g_max
                points[-1] = x = x_max
        z = project(x + step * direction(g))
        points.append(z if k == 0 else project(x + 0.75 * (z - x) + 0.25 * (x - points[-2])))
    return Walk(x_max, f_max, halvings)
