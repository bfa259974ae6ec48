"""What attacks on single pixels share: queries of many images with one pixel changed each."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.attacks.base import Batch, Box, Logits
from gauntlet.attacks.dense_start import DenseStart, dense_start
from gauntlet.attacks.minimum_norm import compiled_logits
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

ROWS, UPDATED_ROWS = 1024, 8192
"""Changed images at once, whole ones (more fall out of the cache) or their first layers alone."""


def flat_pixels(batch: Batch) -> NDArray[np.float32]:
    """Return a copy of the images, `(n, pixels, channels)`."""
    n, *_, channels = batch.images.shape
    return np.array(batch.images).reshape(n, -1, channels)


def pixel_range(
    images: NDArray[np.float32], box: Box
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each image's lowest and highest value, `(n, 1)`: the box's, or without one its own."""
    if box is None:
        return images.min(axis=(1, 2))[:, None], images.max(axis=(1, 2))[:, None]
    low, high = (np.full((len(images), 1), end, np.float32) for end in box)
    return low, high


def correct(logits: Logits, batch: Batch) -> NDArray[np.int64]:
    """Return which images are classified correctly, by index."""
    scores = compiled_logits(logits, batch.images.shape[1:])(batch.images, batch.labels)
    return np.flatnonzero(np.argmax(scores, axis=1) == batch.labels)


def generators(batch: Batch, seed: int, name: str) -> list[np.random.Generator]:
    """Return a generator per image, by its place in the whole set: batches do not matter."""
    places = range(batch.first, batch.first + len(batch.images))
    return [np.random.default_rng(child_seed(seed, name, str(place))) for place in places]


Query = Callable[..., NDArray[np.float32]]
"""`(images, labels, pixels, values)` to the logits of each image with one pixel changed.

Images are `(n, pixels, channels)`, labels `(n,)`, pixels `(n, k)` (-1: none) and their values
`(n, k, channels)`; the logits are `(n, k, classes)`, NaN where no pixel was given.
"""


@lru_cache(maxsize=KEPT_MODELS)
def one_pixel_query(logits: Logits, shape: tuple[int, ...]) -> Query:
    """Return the query of images of a shape."""
    start = dense_start(logits)
    prepare = _rebuilt(logits, shape) if start is None else _updated(start, shape)
    at_once = ROWS if start is None else UPDATED_ROWS

    def query(
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        pixels: NDArray[np.int64],
        values: NDArray[np.float32],
    ) -> NDArray[np.float32]:
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


Prepare = Callable[[Any], Callable[..., Any]]
"""From images to the logits of rows: owners, labels and pixels `(m,)`, values `(m, channels)`."""


def _rebuilt(logits: Logits, shape: tuple[int, ...]) -> Prepare:
    """Build every changed image and classify it: for any model."""

    def run(images: Any, owners: Any, labels: Any, pixels: Any, values: Any) -> Any:
        copies = tf.gather(images, owners)
        where = tf.stack([tf.range(tf.size(owners, tf.int64)), pixels], axis=1)
        changed = tf.tensor_scatter_nd_update(copies, where, values)
        return logits(tf.reshape(changed, (-1, *shape)), labels)

    compiled = tf.function(run, input_signature=[_images(shape), *_rows(shape)])
    return lambda images: partial(compiled, images)


def _updated(start: DenseStart, shape: tuple[int, ...]) -> Prepare:
    """Move the first layer by what a changed pixel adds to it."""

    def run(images: Any, sums: Any, owners: Any, _: Any, pixels: Any, values: Any) -> Any:
        changes = values - tf.gather_nd(images, tf.stack([owners, pixels], axis=1))
        return start.logits(start.moved(tf.gather(sums, owners), pixels, changes))

    sums = tf.TensorSpec((None, start.dense.units), tf.float32)
    compiled = tf.function(run, input_signature=[_images(shape), sums, *_rows(shape)])
    return lambda images: partial(compiled, images, start.sums(images))


def _images(shape: tuple[int, ...]) -> Any:
    return tf.TensorSpec((None, shape[0] * shape[1], shape[2]), tf.float32)


def _rows(shape: tuple[int, ...]) -> list[Any]:
    row = tf.TensorSpec((None,), tf.int64)
    return [row, row, row, tf.TensorSpec((None, shape[2]), tf.float32)]
