"""LocalSearch (Narodytska and Kasiviswanathan 2016, arXiv:1612.06299) as foolbox 1 runs it.

The second paper used that library. It leaves out of the published attack a strength that adapts,
and the 30 rounds for which a changed pixel rests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.attacks.base import Batch, Box, Crafted, Logits
from gauntlet.attacks.minimum_norm import MinimumNormAttack, compiled_logits
from gauntlet.attacks.pixel_query import (
    Query,
    correct,
    flat_pixels,
    generators,
    one_pixel_query,
    pixel_range,
)

Images = NDArray[np.float32]
Pixels = NDArray[np.int64]


@dataclass(frozen=True)
class LocalSearch(MinimumNormAttack):
    """Changes a few pixels a round, and looks for the next ones around them.

    Each round draws pixels from a pool, queries the image with each of them alone set far out of
    the range (`perturbed`; such an image never counts as adversarial), changes the best for good
    (`cyclic`, inside the range), stops where that changed the prediction, and takes their
    neighbourhoods for the next pool. Without a box the range is the image's own.

    Attributes:
        rounds: most that an image gets.
        selection: the best pixels are those with the `lowest` probability of the true class, as
            foolbox before 2.1 and the second paper had it, or the `highest`, as in the published
            pseudo-code: from the ends of the range `cyclic` moves a pixel the opposite way.
    """

    NEAR: ClassVar[int] = 5
    CHOSEN: ClassVar[int] = 5
    FACTOR: ClassVar[float] = 1.5
    STRENGTH: ClassVar[float] = 10.0
    START: ClassVar[float] = 0.1
    CANDIDATES: ClassVar[int] = 128

    rounds: int
    selection: Literal["lowest", "highest"]

    def _search(self, logits: Logits, batch: Batch, box: Box, seed: int) -> Crafted:
        images, labels, shape = flat_pixels(batch), np.asarray(batch.labels), batch.images.shape[1:]
        low, high = (end[:, :, None] for end in pixel_range(images, box))
        query, classify = one_pixel_query(logits, shape), compiled_logits(logits, shape)
        random, near = generators(batch, seed, "local_search"), neighbourhoods(shape, self.NEAR)
        pool, searched = self.start(random, len(near)), images.copy()
        rows, queries = correct(logits, batch), len(images)
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

    def start(self, random: Iterable[np.random.Generator], n_pixels: int) -> NDArray[np.bool_]:
        """Return the first pool of each image, `(n, pixels)`: a tenth of its pixels."""
        size = max(1, min(self.CANDIDATES, int(self.START * n_pixels)))
        return np.stack([rng.permutation(n_pixels) < size for rng in random])

    def drawn(self, random: Iterable[np.random.Generator], pool: NDArray[np.bool_]) -> Pixels:
        """Draw from each image's pool without replacement, `(n, CANDIDATES)`, -1 where it ends."""
        candidates = np.full((len(pool), self.CANDIDATES), -1)
        for row, rng, pixels in zip(candidates, random, pool, strict=True):
            tried = rng.permutation(np.flatnonzero(pixels))[: self.CANDIDATES]
            row[: len(tried)] = tried
        return candidates

    def best(
        self,
        query: Query,
        images: Images,
        labels: NDArray[np.int64],
        candidates: Pixels,
        low: Images,
        high: Images,
    ) -> Pixels:
        """Return the candidates of the best scores, `(n, CHOSEN)`; of fewer, the best repeats."""
        pixels = np.take_along_axis(images, candidates[:, :, None], axis=1)
        logits = query(images, labels, candidates, self.perturbed(pixels, low, high))
        true = np.broadcast_to(labels[:, None], candidates.shape)
        scores = tf.gather(tf.nn.softmax(logits), true, axis=2, batch_dims=2).numpy()
        # A probability that is no number comes last.
        ranks = np.nan_to_num(scores if self.selection == "lowest" else -scores, nan=2.0)
        ranks[candidates < 0] = np.inf
        order = np.argsort(ranks, axis=1, kind="stable")[:, : self.CHOSEN]
        chosen = np.take_along_axis(candidates, order, axis=1)
        return np.where(chosen < 0, chosen[:, :1], chosen)

    def perturbed(self, pixels: Images, low: Images, high: Images) -> Images:
        """Return PERT: `STRENGTH` ranges from the middle of the range, on the pixel's side of it.

        A pixel in the middle stays there.
        """
        middle = (low + high) / 2
        return middle + (high - low) * np.float32(self.STRENGTH) * np.sign(pixels - middle)

    def cyclic(self, pixels: Images, low: Images, high: Images) -> Images:
        """Return CYCLIC: `FACTOR` times as far from the middle, wrapped into the range."""
        middle = (low + high) / 2
        moved = middle + np.float32(self.FACTOR) * (pixels - middle)
        turns = (moved < low).astype(np.float32) - (moved > high)
        return (moved + (high - low) * turns).clip(low, high)


def neighbourhoods(shape: tuple[int, ...], distance: int) -> NDArray[np.bool_]:
    """Return which pixels of an image lie in the square around each, `(pixels, pixels)`."""
    rows, columns = np.indices(shape[:2]).reshape(2, -1)
    away = np.maximum(abs(rows[:, None] - rows), abs(columns[:, None] - columns))
    return np.asarray(away <= distance)
