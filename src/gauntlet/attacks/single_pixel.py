"""SinglePixel, the attack of that name in foolbox 1, which the second paper used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gauntlet.arrays import Flags, Floats, Indices
from gauntlet.attacks.base import Crafted, Threat
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.minimum_norm import MinimumNormAttack
from gauntlet.attacks.pixel_query import (
    correct,
    flat_pixels,
    generators,
    one_pixel_query,
    pixel_range,
)

STRIDE = 64
"""Pixels per image that are tried before images with a hit are dropped."""


@dataclass(frozen=True)
class SinglePixel(MinimumNormAttack):
    """Set one pixel, all its channels, to the lowest or the highest value.

    Each image has a random order of its pixels. Each pixel gets the lowest value first, then the
    highest, and the first hit is returned. Without a box the values are the image's own minimum and
    maximum.

    Attributes:
        max_pixels: pixels tried per image. If all are tried, success does not depend on the seed.
    """

    max_pixels: int

    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        logits, box, seed = threat
        images, labels = flat_pixels(batch), np.asarray(batch.labels)
        ends = np.concatenate(pixel_range(images, box), axis=1)
        order = np.stack(
            [
                random.permutation(images.shape[1])[: self.max_pixels]
                for random in generators(batch, seed, "single_pixel")
            ]
        )
        query = one_pixel_query(logits, batch.images.shape[1:])
        rows, queries = correct(logits, batch), len(images)
        # `rows` are the images without a hit so far.
        for first in range(0, order.shape[1], STRIDE):
            if not len(rows):
                break
            # Two queries per pixel: its lowest and its highest value, side by side.
            pixels = np.repeat(order[rows, first : first + STRIDE], 2, axis=1)
            values = np.tile(ends[rows], pixels.shape[1] // 2)
            pixels[_unchanged(images[rows], pixels, values)] = -1
            scores = query(images[rows], labels[rows], pixels, values[:, :, None])
            hits = (pixels >= 0) & (scores.argmax(axis=2) != labels[rows, None])
            queries += int((pixels >= 0).sum())
            found, at = hits.any(axis=1), hits.argmax(axis=1)
            images[rows[found], pixels[found, at[found]]] = values[found, at[found], None]
            rows = rows[~found]
        return Crafted(images.reshape(batch.images.shape), 0, queries / len(images))


def _unchanged(images: Floats, pixels: Indices, values: Floats) -> Flags:
    """Tell which pixels have the value already: such an image is the clean one and needs no query.

    Args:
        images: `(n, pixels, channels)`.
        pixels: `(n, k)`.
        values: `(n, k)`.

    Returns:
        `(n, k)`.
    """
    before = np.take_along_axis(images, pixels[:, :, None], axis=1)
    return np.asarray((before == values[:, :, None]).all(axis=2))
