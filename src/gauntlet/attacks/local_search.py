"""LocalSearch (Narodytska and Kasiviswanathan 2016, arXiv:1612.06299) as foolbox 1 runs it.

The second paper used that library. In the published attack the strength adapts, and a changed pixel
rests for 30 rounds; foolbox 1 leaves out both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Flags, Floats, Indices, Labels
from gauntlet.attacks.base import Crafted, Threat
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.minimum_norm import MinimumNormAttack, compiled_logits
from gauntlet.attacks.pixel_query import (
    Query,
    correct,
    flat_pixels,
    generators,
    one_pixel_query,
    pixel_range,
)


@dataclass(frozen=True)
class LocalSearch(MinimumNormAttack):
    """Change a few pixels per round, and look for the next ones around them.

    Each round does this to each image:

    1. Draw at most `CANDIDATES` pixels from its pool.
    2. Query the image with each of them alone set far out of the range (`perturbed`). The query
       finds out which pixels matter; such an image never counts as adversarial.
    3. Change the best `CHOSEN` pixels for good, inside the range (`cyclic`).
    4. Stop if that has changed the prediction. Otherwise the next pool is the neighbourhood of
       those pixels.

    Without a box, the range is from the image's own lowest to its own highest value.

    Attributes:
        rounds: per image at most.
        selection: which probability of the true class makes a pixel the best one. `lowest` is what
            foolbox before 2.1 and the second paper ran; `highest` is the published pseudo-code:
            from an end of the range, `cyclic` moves a pixel the opposite way of `perturbed`.
    """

    NEAR: ClassVar[int] = 5
    """Half the side of a neighbourhood, in pixels."""

    CHOSEN: ClassVar[int] = 5
    """Pixels that are changed per round."""

    FACTOR: ClassVar[float] = 1.5
    """How much further from the middle of the range `cyclic` takes a pixel."""

    STRENGTH: ClassVar[float] = 10.0
    """How far from the middle of the range `perturbed` sets a pixel, in ranges."""

    START: ClassVar[float] = 0.1
    """Share of the pixels in the first pool."""

    CANDIDATES: ClassVar[int] = 128
    """Pixels that are queried per round at most."""

    rounds: int
    selection: Literal["lowest", "highest"]

    def _search(self, threat: Threat, batch: Batch) -> Crafted:
        logits, box, seed = threat
        images, labels, shape = flat_pixels(batch), np.asarray(batch.labels), batch.images.shape[1:]
        low, high = (end[:, :, None] for end in pixel_range(images, box))
        query, classify = one_pixel_query(logits, shape), compiled_logits(logits, shape)
        random, near = generators(batch, seed, "local_search"), neighbourhoods(shape, self.NEAR)
        # `images` are returned, so they change only by a hit; `searched` change in every round.
        pool, searched = self.start(random, len(near)), images.copy()
        rows, queries = correct(logits, batch), len(images)  # `rows`: the images without a hit
        for _ in range(self.rounds):
            if not len(rows):
                break
            active, ends = searched[rows], (low[rows], high[rows])
            candidates = self.drawn((random[row] for row in rows), pool[rows])
            chosen = self.best(query, active, labels[rows], candidates, *ends)
            before = np.take_along_axis(active, chosen[:, :, None], axis=1)
            np.put_along_axis(active, chosen[:, :, None], self.cyclic(before, *ends), axis=1)
            scores = classify(active.reshape(-1, *shape), labels[rows])
            hit = np.argmax(scores, axis=1) != labels[rows]
            queries += int((candidates >= 0).sum()) + len(rows)
            pool[rows], searched[rows] = near[chosen].any(axis=1), active
            images[rows[hit]], rows = active[hit], rows[~hit]
        return Crafted(images.reshape(batch.images.shape), 0, queries / len(images))

    def start(self, random: Iterable[np.random.Generator], n_pixels: int) -> Flags:
        """Return the first pool of each image, `(n, pixels)`: a tenth of its pixels."""
        size = max(1, min(self.CANDIDATES, int(self.START * n_pixels)))
        return np.stack([rng.permutation(n_pixels) < size for rng in random])

    def drawn(self, random: Iterable[np.random.Generator], pool: Flags) -> Indices:
        """Draw pixels from each image's pool `(n, pixels)` without replacement.

        Returns:
            `(n, CANDIDATES)`, filled up with -1 where a pool is smaller.
        """
        candidates = np.full((len(pool), self.CANDIDATES), -1)
        for row, rng, pixels in zip(candidates, random, pool, strict=True):
            tried = rng.permutation(np.flatnonzero(pixels))[: self.CANDIDATES]
            row[: len(tried)] = tried
        return candidates

    def best(
        self,
        query: Query,
        images: Floats,
        labels: Labels,
        candidates: Indices,
        low: Floats,
        high: Floats,
    ) -> Indices:
        """Return the best candidates of each image, `(n, CHOSEN)`; if there are fewer, one repeats.

        Args:
            query: of images with one changed pixel.
            images: `(n, pixels, channels)`.
            labels: true classes.
            candidates: pixels `(n, CANDIDATES)`, -1: none.
            low: of the range, `(n, 1, 1)`.
            high: of the range, `(n, 1, 1)`.
        """
        pixels = np.take_along_axis(images, candidates[:, :, None], axis=1)
        logits = query(images, labels, candidates, self.perturbed(pixels, low, high))
        true = np.broadcast_to(labels[:, None], candidates.shape)
        scores = tf.gather(tf.nn.softmax(logits), true, axis=2, batch_dims=2).numpy()
        # A probability that is NaN comes last: no probability is as large as 2.
        ranks = np.nan_to_num(scores if self.selection == "lowest" else -scores, nan=2.0)
        ranks[candidates < 0] = np.inf
        order = np.argsort(ranks, axis=1, kind="stable")[:, : self.CHOSEN]
        chosen = np.take_along_axis(candidates, order, axis=1)
        return np.where(chosen < 0, chosen[:, :1], chosen)

    def perturbed(self, pixels: Floats, low: Floats, high: Floats) -> Floats:
        """Return PERT of the paper: values `STRENGTH` ranges away from the middle of the range.

        Each goes to the side of the middle on which the pixel is; a pixel in the middle stays.
        """
        middle = (low + high) / 2
        return middle + (high - low) * np.float32(self.STRENGTH) * np.sign(pixels - middle)

    def cyclic(self, pixels: Floats, low: Floats, high: Floats) -> Floats:
        """Return CYCLIC of the paper: `FACTOR` times as far from the middle, wrapped into range."""
        middle = (low + high) / 2
        moved = middle + np.float32(self.FACTOR) * (pixels - middle)
        turns = (moved < low).astype(np.float32) - (moved > high)
        return (moved + (high - low) * turns).clip(low, high)


def neighbourhoods(shape: tuple[int, ...], distance: int) -> Flags:
    """Return which pixels of an image lie in the square around each pixel, `(pixels, pixels)`."""
    rows, columns = np.indices(shape[:2]).reshape(2, -1)
    away = np.maximum(abs(rows[:, None] - rows), abs(columns[:, None] - columns))
    return np.asarray(away <= distance)
