"""Square attack (Andriushchenko et al. 2020), L2: random search that moves change between windows.

The whole budget is always spent. Each query picks two square windows of the image, takes the change
of the second one away, and gives it to the first, where it makes a bump beside what is there; the
new point stays if it raises the margin. The windows shrink as queries are spent (algorithm 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.arrays import Floats, Tensor
from gauntlet.attacks.base import Attack, Crafted, Threat, clip_to, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.norms import L2, Norm
from gauntlet.attacks.square import search, share, window
from gauntlet.seeding import child_seed

SMALLEST_SIDE = 3
"""Side of the smallest window, in pixels; sides are odd."""

TILES = 5
"""The start has at least so many windows along each side of the image."""


class _Windows(NamedTuple):
    """The two windows of each query, the same for all images; `(queries - 1,)` unless said.

    Attributes:
        bumps: `(sides, 2, height, width)`: a bump at the top left, of each side; lying, standing.
        side: in pixels.
        which: index of the side in `bumps`.
        standing: 0 or 1.
        top, left: of the window that gets more change, `(queries - 1, 2)` with the other window.
        sign: -1 or 1, `(queries - 1, channels)`.
    """

    bumps: Tensor
    side: Tensor
    which: Tensor
    standing: Tensor
    top: Tensor
    left: Tensor
    sign: Tensor


@dataclass(frozen=True)
class SquareL2(Attack):
    """Start from bumps all over the image; keep each move of change that raises the margin.

    Shares of pixels, and so the sides of windows, follow Square's schedule in Linf, as AutoAttack's
    do; the authors' code starts at 0.1. Windows and signs are drawn once per query for all images;
    the authors' code draws signs per image. Of several channels, each keeps the norm that it has in
    both windows, as there; AutoAttack gives each the norm of all.

    Attributes:
        queries: per image at most. One more finds the images that are misclassified already.
    """

    queries: int

    @property
    def budget_norm(self) -> Norm:
        """L2."""
        return L2

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        seed = child_seed(threat.seed, "square_l2")
        bumps = L2.steepest(_tiles(batch, child_seed(seed, "tiles")))
        start = clip_to(threat.box, batch.images + epsilon * bumps)
        windows = _windows(self.queries, batch.images.shape[1:], seed)
        return search(_tried, windows, start, self.queries, threat, batch, epsilon)


def bump(side: int) -> Floats:
    """Return a change of norm 1 in a window `(side, side)`: one half up, the other down.

    Each half is highest at its centre, and falls with the distance d, the larger one of both axes:
    it is the sum of 1 / (i + 1)^2 over i from d to the distance of the edge.
    """
    halves = (_half(side // 2, side), -_half(side - side // 2, side))
    whole = np.concatenate(halves)
    return np.asarray(whole / np.linalg.norm(whole), np.float32)


def _half(height: int, width: int) -> Floats:
    down, across = (np.abs(np.arange(n) - n // 2) for n in (height, width))
    terms = 1.0 / np.arange(1, max(height, width) // 2 + 2) ** 2
    found = terms[::-1].cumsum()[::-1][np.maximum(down[:, None], across)]
    return np.asarray(found / max(np.linalg.norm(found), 1e-12))


def side_of(query: int, queries: int, height: int, width: int) -> int:
    """Return the side of a query's windows: that of a share of the pixels, odd, at least 3.

    In an image of fewer pixels it is the largest odd one that fits.
    """
    side = max(round(math.sqrt(share(query, queries) * height * width)), SMALLEST_SIDE)
    fits = min(height, width)
    return min(side + (side % 2 == 0), fits - (fits % 2 == 0))


def _tiles(batch: Batch, seed: int) -> Tensor:
    """Return a grid of bumps that fills the image, with random signs per image and channel."""
    height, width, _ = batch.images.shape[1:]
    side = max(min(height, width) // TILES, 1)
    standing = np.random.default_rng(seed).integers(0, 2, (height // side, width // side))
    turned = np.stack([bump(side), bump(side).T])
    # From (rows, columns, side, side) to (rows * side, columns * side): tiles beside each other.
    grid = np.swapaxes(turned[standing], 1, 2).reshape(-1, width // side * side)
    before = [(n - n // side * side) // 2 for n in (height, width)]
    after = [n - m - b for n, m, b in zip((height, width), grid.shape, before, strict=True)]
    pattern = np.pad(grid, list(zip(before, after, strict=True)))
    # The number drawn for the top left pixel of a tile decides its sign; the rim has no change.
    corners = [
        np.minimum((np.arange(n) - b).clip(0) // side * side + b, n - 1)
        for n, b in zip((height, width), before, strict=True)
    ]
    noise = tf.gather(tf.gather(batch.uniform(seed), corners[0], axis=1), corners[1], axis=2)
    return tf.where(noise < 0, -1.0, 1.0) * pattern[:, :, None]


def _windows(queries: int, shape: tuple[int, int, int], seed: int) -> _Windows:
    """Draw the windows of all queries after the start."""
    height, width, channels = shape
    random = np.random.default_rng(seed)
    each = [side_of(k, queries, height, width) for k in range(1, queries)]
    sides, which = np.unique(np.array(each, np.int32), return_inverse=True)
    side = np.array(each, np.int32)
    top, left = (
        random.integers(0, (n - side + 1)[:, None], (len(side), 2), np.int32)
        for n in (height, width)
    )
    return _Windows(
        bumps=tf.constant(_placed(sides, height, width)),
        side=tf.constant(side),
        which=tf.constant(which.astype(np.int32)),
        standing=tf.constant(random.integers(0, 2, len(side), np.int32)),
        top=tf.constant(top),
        left=tf.constant(left),
        sign=tf.constant(random.choice(np.array([-1, 1], np.float32), (len(side), channels))),
    )


def _placed(sides: NDArray[np.int32], height: int, width: int) -> Floats:
    """Return the bump of each side at the top left of an image, lying and standing."""
    table = np.zeros((max(len(sides), 1), 2, height, width), np.float32)
    for place, side in zip(table, sides, strict=False):
        place[0, :side, :side], place[1, :side, :side] = bump(side), bump(side).T
    return table


def _tried(
    images: Tensor,
    at: Tensor,
    windows: _Windows,
    k: Tensor,
    epsilon: Tensor,
    low: Tensor,
    high: Tensor,
) -> Tensor:
    """Return the points with change moved from one window to the other."""
    top, left = windows.top[k], windows.left[k]
    place = tf.stack([top[0], left[0]])
    risen = tf.roll(windows.bumps[windows.which[k], windows.standing[k]], place, axis=[0, 1])
    to, out_of = (window(images.shape[1:3], windows.side[k], top[i], left[i]) for i in (0, 1))
    return _moved(images, at, windows.sign[k] * risen[:, :, None], to, out_of, epsilon, low, high)


@one_pass
def _moved(
    images: Tensor,
    at: Tensor,
    risen: Tensor,
    to: Tensor,
    out_of: Tensor,
    epsilon: Tensor,
    low: Tensor,
    high: Tensor,
) -> Tensor:
    """Return the points after a move; all of the budget is spent, then clipped to the box.

    `risen` `(height, width, channels)` is the bump, `to` and `out_of` are the windows' masks.
    """
    change = at - images

    def norm(x: Tensor) -> Tensor:
        return tf.sqrt(tf.reduce_sum(x * x, axis=[1, 2], keepdims=True))

    # What a channel may spend in the first window: what it has in both, and its part of what the
    # box has cut off.
    unspent = tf.maximum(epsilon**2 - L2.size(change) ** 2, 0)
    both = norm(change * tf.maximum(to, out_of))
    available = tf.sqrt(both**2 + unspent / images.shape[3])
    there = change * to
    raised = risen + tf.math.divide_no_nan(there, norm(there))
    raised = available * tf.math.divide_no_nan(raised, norm(raised))
    moved = change * (1 - tf.maximum(to, out_of)) + raised
    return tf.clip_by_value(images + epsilon * L2.steepest(moved), low, high)
