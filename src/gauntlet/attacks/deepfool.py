"""DeepFool (Moosavi-Dezfooli et al. 2015, arXiv:1511.04599): to the nearest linearised boundary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.attacks.base import Batch, Box, Crafted, Logits, bounds
from gauntlet.attacks.gradients import all_gaps, finite, misclassified, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack, compiled_logits
from gauntlet.training.keras_loops import KEPT_MODELS

Norm = Literal["l2", "linf"]
Variant = Literal["paper", "foolbox1", "foolbox3"]

CANDIDATES = 10
"""Classes that the search considers, the true one among them: the likeliest of the image."""

ROWS = 500
"""Images whose gradients are taken at once: larger arrays fall out of the processor's cache."""


class Rules(NamedTuple):
    """What the published algorithm and its two libraries do differently.

    Attributes:
        overshoot: of each step. The paper's overshoot of the accumulated perturbation is the same.
        extra: distance that is added to each step.
        strict: a class whose logit equals the true one is no candidate.
        box: after each step the iterate is `free`, or `seen` through the box (the network gets it
            clipped, the next step starts from where it was), or `kept` in it.
    """

    overshoot: float
    extra: float
    strict: bool
    box: Literal["free", "seen", "kept"]


RULES: dict[Variant, Rules] = {
    # Algorithm 2 (L2) and section 3.3 (Linf).
    "paper": Rules(0.02, 0.0, False, "free"),
    # Version 1.0 to 1.8, which the second paper used.
    "foolbox1": Rules(0.05, 0.0, True, "kept"),
    # Version 3.3.
    "foolbox3": Rules(0.02, 1e-4, False, "seen"),
}


@dataclass(frozen=True)
class DeepFool(MinimumNormAttack):
    """Steps to the nearest linearised boundary, until the prediction changes.

    An image that still has its class after the last step is returned as it is. `paper` knows no
    box: an iterate is judged outside it and clipped to it afterwards, which undoes many a success.

    Attributes:
        norm: in which the nearest boundary is sought.
        variant: name in `RULES`.
        steps: linearisations.
    """

    norm: Norm
    variant: Variant
    steps: int

    def _search(self, logits: Logits, batch: Batch, box: Box, seed: int) -> Crafted:
        del seed
        found, labels = np.array(batch.images), np.asarray(batch.labels)
        scores = compiled_logits(logits, found.shape[1:])(batch.images, batch.labels).numpy()
        # Where the prediction is right, the first candidate is the true class.
        candidates = np.argsort(-scores, axis=1, kind="stable")[:, :CANDIDATES]
        step = _step(logits, found.shape[1:], candidates.shape[1], self.norm, self.variant, box)
        rows = np.flatnonzero(candidates[:, 0] == labels)
        points, linearised = found[rows], 0
        for _ in range(self.steps):
            if not len(rows):
                break
            linearised += len(rows)
            points, hit = _in_chunks(step, points, labels[rows], candidates[rows])
            found[rows[hit]] = points[hit] if box is None else points[hit].clip(*box)
            rows, points = rows[~hit], points[~hit]
        each = linearised / len(found)
        return Crafted(found, (candidates.shape[1] - 1) * each, 1 + each)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Any]:
        return slopes(logits, all_gaps, batches)


def _in_chunks(step: Callable[..., Any], *arrays: NDArray[Any]) -> list[NDArray[Any]]:
    chunks = [
        [np.asarray(part) for part in step(*(a[i : i + ROWS] for a in arrays))]
        for i in range(0, len(arrays[0]), ROWS)
    ]
    return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


@lru_cache(maxsize=KEPT_MODELS)
def _step(
    logits: Logits,
    shape: tuple[int, ...],
    n_candidates: int,
    norm: Norm,
    variant: Variant,
    box: Box,
) -> Callable[..., Any]:
    """Compile `(points, labels, candidates) -> (next points, misclassified)` for any row count."""
    rules = RULES[variant]
    low, high = bounds(box)

    def run(points: Any, labels: Any, candidates: Any) -> Any:
        seen = points if rules.box == "free" else tf.clip_by_value(points, low, high)
        gaps, normals = linearised(logits, seen, labels, candidates)
        moved = points + (1 + rules.overshoot) * to_boundary(gaps, normals, norm, rules)
        inside = tf.clip_by_value(moved, low, high)
        seen = moved if rules.box == "free" else inside
        hit = misclassified(labels, logits(seen, labels))
        return inside if rules.box == "kept" else moved, hit

    images = tf.TensorSpec((None, *shape), tf.float32)
    rows = tf.TensorSpec((None,), tf.int64)
    classes = tf.TensorSpec((None, n_candidates), tf.int64)
    compiled: Callable[..., Any] = tf.function(run, input_signature=[images, rows, classes])
    return compiled


def linearised(logits: Logits, images: Any, labels: Any, candidates: Any) -> tuple[Any, Any]:
    """Return each candidate's logit minus the first candidate's, and its gradient.

    One forward pass and one backward pass a pair of classes; a Jacobian would take one more.

    Args:
        logits: of the attacked model.
        images: `(n, height, width, channels)`.
        labels: true classes `(n,)`.
        candidates: classes `(n, k)`.

    Returns:
        `(n, k - 1)` and `(n, k - 1, height, width, channels)`; a gradient that is no number is 0.
    """
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        z = logits(images, labels)
    one_hot = tf.one_hot(candidates, z.shape[1])
    pairs = tf.unstack(one_hot[:, 1:] - one_hot[:, :1], axis=1)
    normals = [finite(tape.gradient(z, images, output_gradients=pair)) for pair in pairs]
    scores = tf.gather(z, candidates, axis=1, batch_dims=1)
    return scores[:, 1:] - scores[:, :1], tf.stack(normals, axis=1)


def to_boundary(gaps: Any, normals: Any, norm: Norm, rules: Rules) -> Any:
    """Return the shortest step to a linearised boundary, shaped as the images.

    The step is 0 where no candidate has a gradient.
    """
    axes = [2, 3, 4]
    dual = (
        tf.sqrt(tf.reduce_sum(normals * normals, axes))
        if norm == "l2"
        else tf.reduce_sum(tf.abs(normals), axes)
    )
    candidate = (gaps < 0 if rules.strict else gaps <= 0) & (dual > 0)
    distances = tf.where(candidate, -gaps / (dual + 1e-8), np.inf)
    nearest = tf.argmin(distances, axis=1)[:, None]

    def chosen(values: Any) -> Any:
        return tf.gather(values, nearest, axis=1, batch_dims=1)[:, 0]

    normal, length = chosen(normals), (chosen(distances) + rules.extra)[:, None, None, None]
    unit = normal / (chosen(dual)[:, None, None, None] + 1e-8)
    return finite(length * (unit if norm == "l2" else tf.sign(normal)))
