"""DeepFool (Moosavi-Dezfooli et al. 2015, arXiv:1511.04599): steps to the nearest linear boundary.

Around an image every logit is taken as linear. The boundary between the true class and another is
then a plane, and the shortest way to it is known in closed form. DeepFool steps to the nearest of
these planes, linearises again there, and stops when the prediction has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Array, Tensor
from gauntlet.attacks.base import Box, Crafted, Logits, Threat, bounds
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import all_gaps, finite, misclassified, slopes
from gauntlet.attacks.minimum_norm import MinimumNormAttack, compiled_logits
from gauntlet.training.keras_loops import KEPT_MODELS

Norm = Literal["l2", "linf"]
Variant = Literal["paper", "foolbox1", "foolbox3"]

CANDIDATES = 10
"""Classes that the search considers: those of the largest logits, the true one among them."""

ROWS = 500
"""Images whose gradients are taken at once: larger arrays do not fit into the processor's cache."""


class Rules(NamedTuple):
    """What the published algorithm and its two libraries do differently.

    Attributes:
        overshoot: share by which each step goes beyond the boundary. The paper lengthens the sum
            of all steps by it, which is the same.
        extra: distance that is added to each step.
        strict: whether a class whose logit equals the true one is left out.
        box: what happens to a point that a step takes out of the box. `free`: nothing. `kept`: it
            is clipped. `seen`: the network gets it clipped, and the next step starts unclipped.
    """

    overshoot: float
    extra: float
    strict: bool
    box: Literal["free", "seen", "kept"]


RULES: dict[Variant, Rules] = {
    # Algorithm 2 (L2), section 3.3 (Linf).
    "paper": Rules(0.02, 0.0, False, "free"),
    # foolbox 1.0 to 1.8, which the second paper used.
    "foolbox1": Rules(0.05, 0.0, True, "kept"),
    # foolbox 3.3.
    "foolbox3": Rules(0.02, 1e-4, False, "seen"),
}


@dataclass(frozen=True)
class DeepFool(MinimumNormAttack):
    """Step to the nearest linearised boundary until the prediction changes.

    An image that keeps its class after the last step is returned as it is. The variant `paper` has
    no box: a point is judged where it lies and clipped afterwards, which undoes many successes.

    Attributes:
        norm: in which the nearest boundary is sought.
        variant: name in `RULES`.
        steps: linearisations per image at most.
    """

    norm: Norm
    variant: Variant
    steps: int

    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        logits, box, _ = threat
        found, labels = np.array(batch.images), np.asarray(batch.labels)
        scores = compiled_logits(logits, found.shape[1:])(batch.images, batch.labels).numpy()
        # Candidates are chosen once, at the clean image. The first is the predicted class; an image
        # for which that is wrong takes no part.
        candidates = np.argsort(-scores, axis=1, kind="stable")[:, :CANDIDATES]
        step = _step(logits, found.shape[1:], candidates.shape[1], self.norm, self.variant, box)
        # `rows` are the images without a hit so far, `points` where they have got to.
        rows = np.flatnonzero(candidates[:, 0] == labels)
        points, linearised = found[rows], 0
        for _ in range(self.steps):
            if not len(rows):
                break
            linearised += len(rows)
            points, hit = _in_chunks(step, points, labels[rows], candidates[rows])
            found[rows[hit]] = points[hit] if box is None else points[hit].clip(*box)
            rows, points = rows[~hit], points[~hit]
        # One backward pass per candidate but the first; one query after each step and one before.
        each = linearised / len(found)
        return Crafted(found, (candidates.shape[1] - 1) * each, 1 + each)

    def _followed(self, logits: Logits, batches: Sequence[Batch]) -> Iterable[Tensor]:
        return slopes(logits, all_gaps, batches)


def _in_chunks(step: Callable[..., tuple[Tensor, ...]], *arrays: Array) -> list[Array]:
    """Call a compiled step on `ROWS` rows at a time, and join what it returns."""
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
) -> Callable[..., tuple[Tensor, Tensor]]:
    """Compile `(points, labels, candidates) -> (next points, misclassified)` for any row count."""
    rules = RULES[variant]
    low, high = bounds(box)

    def run(points: Tensor, labels: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
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
    compiled: Callable[..., tuple[Tensor, Tensor]] = tf.function(
        run, input_signature=[images, rows, classes], autograph=False
    )
    return compiled


def linearised(
    logits: Logits, images: Tensor, labels: Tensor, candidates: Tensor
) -> tuple[Tensor, Tensor]:
    """Return each candidate's logit minus the first candidate's, and its gradient.

    This takes one forward pass, and one backward pass per pair of classes. A Jacobian would take
    one more, because it needs each class alone.

    Args:
        logits: of the attacked model.
        images: `(n, height, width, channels)`.
        labels: true classes `(n,)`.
        candidates: classes `(n, k)`.

    Returns:
        gaps `(n, k - 1)` and normals `(n, k - 1, height, width, channels)`; a gradient that is not
        finite is 0.
    """
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(images)
        z = logits(images, labels)
    one_hot = tf.one_hot(candidates, z.shape[1])
    pairs = tf.unstack(one_hot[:, 1:] - one_hot[:, :1], axis=1)
    normals = [
        finite(tape.gradient(z, images, output_gradients=pair, unconnected_gradients="zero"))
        for pair in pairs
    ]
    scores = tf.gather(z, candidates, axis=1, batch_dims=1)
    return scores[:, 1:] - scores[:, :1], tf.stack(normals, axis=1)


def to_boundary(gaps: Tensor, normals: Tensor, norm: Norm, rules: Rules) -> Tensor:
    """Return the shortest step to a linearised boundary, shaped as the images.

    The distance to the plane of a class is |gap| / |normal|, in the dual norm: L2 for L2 (algorithm
    2), L1 for Linf (section 3.3). The step goes along the normal for L2, along its signs for Linf.
    It is 0 where no candidate has a gradient.

    Args:
        gaps: each other class's logit minus the true one, `(n, k)`.
        normals: their gradients `(n, k, height, width, channels)`.
        norm: in which the step is the shortest.
        rules: of the variant.
    """
    axes = [2, 3, 4]
    dual = (
        tf.sqrt(tf.reduce_sum(normals * normals, axes))
        if norm == "l2"
        else tf.reduce_sum(tf.abs(normals), axes)
    )
    # A class is a candidate while it is behind the true one and its gap has a gradient.
    candidate = (gaps < 0 if rules.strict else gaps <= 0) & (dual > 0)
    distances = tf.where(candidate, -gaps / (dual + 1e-8), np.inf)
    nearest = tf.argmin(distances, axis=1)[:, None]

    def chosen(values: Tensor) -> Tensor:
        return tf.gather(values, nearest, axis=1, batch_dims=1)[:, 0]

    normal, length = chosen(normals), (chosen(distances) + rules.extra)[:, None, None, None]
    unit = normal / (chosen(dual)[:, None, None, None] + 1e-8)
    return finite(length * (unit if norm == "l2" else tf.sign(normal)))
