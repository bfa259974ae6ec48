"""What attacks on single pixels share: queries of images that differ in one pixel."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Floats, Indices, Labels, Tensor
from gauntlet.attacks.base import Box, Logits
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.dense_start import DenseStart, dense_start
from gauntlet.attacks.minimum_norm import compiled_logits
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

ROWS, UPDATED_ROWS = 1024, 8192
"""Changed images per forward pass: whole images (more do not fit into the processor's cache), or
only the sums of a first dense layer (`dense_start`)."""


def flat_pixels(batch: Batch) -> Floats:
    """Return a copy of the images, `(n, pixels, channels)`."""
    n, *_, channels = batch.images.shape
    return np.array(batch.images).reshape(n, -1, channels)


def pixel_range(images: Floats, box: Box) -> tuple[Floats, Floats]:
    """Return the lowest and the highest value of images `(n, pixels, channels)`, each `(n, 1)`.

    They are the box's; without a box, each image's own.
    """
    if box is None:
        return images.min(axis=(1, 2))[:, None], images.max(axis=(1, 2))[:, None]
    low, high = (np.full((len(images), 1), end, np.float32) for end in box)
    return low, high


def correct(logits: Logits, batch: Batch) -> Indices:
    """Return the indices of the images that are classified correctly."""
    scores = compiled_logits(logits, batch.images.shape[1:])(batch.images, batch.labels)
    return np.flatnonzero(np.argmax(scores, axis=1) == batch.labels)


def generators(batch: Batch, seed: int, name: str) -> list[np.random.Generator]:
    """Return a generator per image, seeded by its place in the whole set, not in the batch."""
    places = range(batch.first, batch.first + len(batch.images))
    return [np.random.default_rng(child_seed(seed, name, str(place))) for place in places]


Query = Callable[[Floats, Labels, Indices, Floats], Floats]
"""`(images, labels, pixels, values)` -> the logits of each image with one pixel changed.

Images are `(n, pixels, channels)`, labels `(n,)`. Pixels `(n, k)` are changed one at a time (-1:
none), to values `(n, k, channels)`. The logits are `(n, k, classes)`, NaN where no pixel was given.
"""


@lru_cache(maxsize=KEPT_MODELS)
def one_pixel_query(logits: Logits, shape: tuple[int, ...]) -> Query:
    """Return the query of a model for images of this shape."""
    start = dense_start(logits)
    prepare = _rebuilt(logits, shape) if start is None else _updated(start, shape)
    at_once = ROWS if start is None else UPDATED_ROWS

    def query(images: Floats, labels: Labels, pixels: Indices, values: Floats) -> Floats:
        # The m pixels that are given become rows, whichever image they belong to.
        given = pixels >= 0
        owners = np.nonzero(given)[0]
        changes = np.broadcast_to(values, (*pixels.shape, shape[2]))[given]
        rows = owners, labels[owners], pixels[given], changes
        changed = prepare(tf.constant(images))
        parts = [slice(i, i + at_once) for i in range(0, max(1, len(owners)), at_once)]
        found = np.concatenate([changed(*(row[part] for row in rows)) for part in parts])
        scores = np.full((*pixels.shape, found.shape[1]), np.nan, np.float32)
        scores[given] = found
        return scores

    return query


Prepare = Callable[[Tensor], Callable[..., Tensor]]
"""From images to a function of rows: `(owners, labels, pixels, values) -> logits (m, classes)`.

A row is one changed image. Owners `(m,)` are the indices of the images that are changed; labels and
pixels are `(m,)`, values `(m, channels)`.
"""


def _rebuilt(logits: Logits, shape: tuple[int, ...]) -> Prepare:
    """Build every changed image and classify it; works for any model."""

    def run(
        images: Tensor, owners: Tensor, labels: Tensor, pixels: Tensor, values: Tensor
    ) -> Tensor:
        copies = tf.gather(images, owners)
        where = tf.stack([tf.range(tf.size(owners, tf.int64)), pixels], axis=1)
        changed = tf.tensor_scatter_nd_update(copies, where, values)
        return logits(tf.reshape(changed, (-1, *shape)), labels)

    compiled = tf.function(run, input_signature=[_images(shape), *_rows(shape)], autograph=False)
    return lambda images: partial(compiled, images)


def _updated(start: DenseStart, shape: tuple[int, ...]) -> Prepare:
    """Update the first layer's sums by what a changed pixel adds to them, and run the rest."""

    def run(
        images: Tensor, sums: Tensor, owners: Tensor, _: Tensor, pixels: Tensor, values: Tensor
    ) -> Tensor:
        changes = values - tf.gather_nd(images, tf.stack([owners, pixels], axis=1))
        return start.logits(start.moved(tf.gather(sums, owners), pixels, changes))

    sums = tf.TensorSpec((None, start.dense.units), tf.float32)
    compiled = tf.function(
        run, input_signature=[_images(shape), sums, *_rows(shape)], autograph=False
    )
    return lambda images: partial(compiled, images, start.sums(images))


def _images(shape: tuple[int, ...]) -> tf.TensorSpec:
    return tf.TensorSpec((None, shape[0] * shape[1], shape[2]), tf.float32)


def _rows(shape: tuple[int, ...]) -> list[tf.TensorSpec]:
    """Return what rows look like: owners, labels, pixels, values."""
    row = tf.TensorSpec((None,), tf.int64)
    return [row, row, row, tf.TensorSpec((None, shape[2]), tf.float32)]
