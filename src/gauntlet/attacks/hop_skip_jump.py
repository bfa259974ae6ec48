"""HopSkipJump (Chen, Jordan and Wainwright 2019, arXiv:1904.02144): decisions are all that it sees.

It walks along the decision boundary. Each step estimates which way the boundary faces, by the
decisions on many small probes around a point on it; jumps away from the boundary in that direction;
and returns to it on the straight way to the image. That is where it comes nearer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np

from gauntlet.arrays import Flags, Floats, Images, Indices, Predictions
from gauntlet.attacks.base import Crafted
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.boundary import Boundary, boundary_of
from gauntlet.attacks.boundary_walk import BoundaryWalk, length
from gauntlet.attacks.decisions import DecisionAttack, Ruling
from gauntlet.seeding import child_seed


@dataclass(frozen=True)
class HopSkipJump(DecisionAttack):
    """Walk along the boundary (algorithm 2); return the nearest misclassified point of the walk.

    An image asks only what it needs itself: jumps are of its own length, and it stops when its
    queries are spent. The probes of a step are drawn once for all images. An image for which no
    start is found stays as it is. Without a box, noise lies between an image's own darkest and
    brightest pixel.

    Attributes:
        norm: "l2" or "linf", in which the nearest point is sought.
        steps: along the boundary at most.
        queries: per image at most, 200 or more: up to that many are spent on the start.
    """

    PROBES: ClassVar[int] = 100
    """Probes of the first step; step k, from 1, has sqrt(k) times as many."""

    MOST_PROBES: ClassVar[int] = 10_000
    """Probes of a step at most."""

    FIRST_REACH: ClassVar[float] = 0.1
    """L2 length of the first step's probes, in ranges of the pixels."""

    JUMPS: ClassVar[int] = 15
    """Jumps that are tried per step, each half as long as the last."""

    NOISE: ClassVar[int] = 100
    """Images of uniform noise that are tried as a start."""

    OTHERS: ClassVar[int] = 10
    """Images of other classes, nearest first, that are tried where no noise is misclassified."""

    BEYOND: ClassVar[float] = 1e-3
    """How far behind the boundary the returned point lies, as a share of its distance, so that
    another batch size, which rounds otherwise, does not make it right again."""

    norm: str
    steps: int
    queries: int

    def _search_all(self, ruling: Ruling, batches: Sequence[Batch]) -> Sequence[Crafted]:
        decide, box, seed = ruling
        shape = tuple(batches[0].images.shape[1:])
        boundary, in_l2 = (boundary_of(decide, shape, norm, box) for norm in (self.norm, "l2"))
        walks = [BoundaryWalk(batch, boundary, self.norm, box, self.queries) for batch in batches]
        others = _one_of_each_class(walks, batches)
        return [self._walked(walk, others, in_l2, seed) for walk in walks]

    def _walked(self, walk: BoundaryWalk, others: _Others, in_l2: Boundary, seed: int) -> Crafted:
        rows, points = self._started(walk, others, seed)
        if self.norm == "linf":  # for L2, the way to the boundary is a blend itself
            points = walk.blend(rows, points, in_l2)
        walk.settle(rows, points)
        for step in range(self.steps):
            size = min(int(self.PROBES * math.sqrt(step + 1)), self.MOST_PROBES)
            # Behind the probes come a jump, at least, and the way back.
            rows = rows[walk.left(rows) > size + walk.bisections]
            if not len(rows):
                break
            drawn_by = child_seed(seed, "hop_skip_jump", str(step))
            probes = self._probes(size, walk.images.shape[1:], drawn_by)
            directions = walk.faces(rows, self._reaches(walk, rows, step), probes)
            lengths = walk.distance[rows] / np.float32(math.sqrt(step + 1))
            points, hit = self._jumped(walk, rows, directions, lengths)
            walk.settle(rows[hit], points[hit])
        return walk.crafted(self.BEYOND)

    def _started(self, walk: BoundaryWalk, others: _Others, seed: int) -> tuple[Indices, Images]:
        """Return the images for which a misclassified point is found, and these points."""
        rows, points = walk.right, walk.images.copy()
        for start in self._starts(walk, others, seed):
            if not len(rows):
                break
            points[rows] = start(rows)
            rows = rows[~walk.ask(rows, points[rows])]
        started = np.setdiff1d(walk.right, rows)
        return started, points[started]

    def _starts(
        self, walk: BoundaryWalk, others: _Others, seed: int
    ) -> Iterator[Callable[[Indices], Images]]:
        """Yield functions from indices of images to a point for each to start from."""
        for k in range(self.NOISE):
            drawn_by = child_seed(seed, "hop_skip_jump", "noise", str(k))
            yield partial(walk.noise, seed=drawn_by)
        for k in range(min(self.OTHERS, len(others.classes) - 1)):
            yield partial(_nearest_other, walk, others, k)

    def _probes(self, size: int, shape: tuple[int, ...], seed: int) -> Images:
        """Draw unit vectors: normal for L2, uniform for Linf before they are scaled."""
        random = np.random.default_rng(seed)
        drawn: Images = random.standard_normal((size, *shape), np.float32)
        if self.norm == "linf":
            drawn = 2 * random.random((size, *shape), np.float32) - 1
        probes: Images = drawn / length(drawn, "l2")[:, None, None, None]
        return probes

    def _reaches(self, walk: BoundaryWalk, rows: Indices, step: int) -> Floats:
        """Return the length of each image's probes `(n,)`: delta, 1/d of the distance."""
        reaches: Floats = np.float32(self.FIRST_REACH) * (walk.high - walk.low)[rows, 0, 0, 0]
        if step:
            reaches = walk.before[rows] / np.float32(math.prod(walk.images.shape[1:]))
        return reaches

    def _jumped(
        self, walk: BoundaryWalk, rows: Indices, directions: Images, lengths: Floats
    ) -> tuple[Images, Flags]:
        """Jump from the boundary, half as far each time until the point is misclassified.

        Returns:
            The points, and which images found one.
        """
        points, hit = walk.at[rows], np.zeros(len(rows), bool)
        for _ in range(self.JUMPS):
            # The images that still jump: without a hit, and with queries for the way back.
            jumping = np.flatnonzero(~hit & (walk.left(rows) > walk.bisections))
            if not len(jumping):
                break
            moved = lengths[jumping, None, None, None] * directions[jumping]
            points[jumping] = walk.inside(walk.at[rows[jumping]] + moved)
            hit[jumping] = walk.ask(rows[jumping], points[jumping])
            lengths = lengths * np.float32(0.5)
        return points, hit


class _Others(NamedTuple):
    """Images to start from, one of each predicted class."""

    images: Images
    classes: Predictions


def _one_of_each_class(walks: Sequence[BoundaryWalk], batches: Sequence[Batch]) -> _Others:
    """Return the first image of each class that is predicted; padding does not count."""
    pairs = list(zip(walks, batches, strict=True))
    classes = np.concatenate([walk.classes[: batch.size] for walk, batch in pairs])
    images = np.concatenate([walk.images[: batch.size] for walk, batch in pairs])
    found, first = np.unique(classes, return_index=True)
    return _Others(images[first], found)


def _nearest_other(walk: BoundaryWalk, others: _Others, k: int, rows: Indices) -> Images:
    """Return for each image the k-th nearest in L2 of the others, its own class left out."""
    flat = walk.images[rows].reshape(len(rows), -1)
    rest = others.images.reshape(len(others.classes), -1)
    # The square of the image itself is left out: it changes no order.
    distances = (rest**2).sum(axis=1) - 2 * flat @ rest.T
    distances[walk.labels[rows, None] == others.classes] = np.inf
    return others.images[np.argsort(distances, axis=1, kind="stable")[:, k]]
