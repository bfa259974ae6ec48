"""Where the images of a batch stand on a decision boundary, and how much each of them has asked."""

from __future__ import annotations

import numpy as np

from gauntlet.arrays import Flags, Floats, Images, Indices
from gauntlet.attacks.base import Box, Crafted
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.boundary import Boundary
from gauntlet.attacks.pixel_limits import pixel_limits


class BoundaryWalk:
    """Points on the boundary, one per image of a batch; each question is counted to its image.

    `rows` are indices of images, each at most once; arrays that go with them are in their order.

    Attributes:
        images: the clean images.
        labels: their true classes `(n,)`.
        classes: what is predicted without attack `(n,)`.
        low: lowest value of each image's pixels, `(n, 1, 1, 1)`: the box's, or without one its own.
        high: highest value.
        at: the point on the boundary where each image stands, itself misclassified.
        distance: of `at` from the image, `(n,)`.
        before: distance of the point from which `at` was reached, `(n,)`.
    """

    def __init__(self, batch: Batch, boundary: Boundary, norm: str, box: Box, queries: int) -> None:
        """Ask for the class of each clean image; `queries` is what an image may ask in all."""
        self._batch = batch
        self.images, self.labels = np.asarray(batch.images), np.asarray(batch.labels)
        self.classes = boundary.decide(self.images, self.labels)
        self.low, self.high = pixel_limits(self.images, box)
        self.at, self._best = self.images.copy(), self.images.copy()
        self.distance, self.before, self._least = (
            np.full(len(self.images), np.inf, np.float32) for _ in range(3)
        )
        self._boundary, self._norm, self._box, self._queries = boundary, norm, box, queries
        self._asked = np.ones(len(self.images), np.int64)

    @property
    def bisections(self) -> int:
        """Queries of `settle` per image."""
        return self._boundary.bisections

    @property
    def right(self) -> Indices:
        """The images that are classified correctly without attack."""
        return np.flatnonzero(self.classes == self.labels)

    def left(self, rows: Indices) -> Indices:
        """Return what images may still ask, one query for `crafted` put aside."""
        return self._queries - 1 - self._asked[rows]

    def noise(self, rows: Indices, seed: int) -> Images:
        """Draw uniform noise for each image, between the limits of its pixels."""
        share = (1 + np.asarray(self._batch.uniform(seed))[rows]) / 2
        return self.low[rows] + share * (self.high - self.low)[rows]

    def ask(self, rows: Indices, points: Images) -> Flags:
        """Tell which points are misclassified; one query each."""
        self._asked[rows] += 1
        labels = self.labels[rows]
        return np.asarray(self._boundary.decide(points, labels) != labels)

    def faces(self, rows: Indices, reaches: Floats, probes: Images) -> Images:
        """Return which way the boundary faces at `at` (`boundary.estimate`); a query per probe."""
        self._asked[rows] += len(probes)
        return self._boundary.faces(self.at[rows], self.labels[rows], reaches, probes)

    def blend(self, rows: Indices, points: Images, in_l2: Boundary) -> Images:
        """Return the nearest misclassified blends of images and points (`nearest` for L2)."""
        if not len(rows):
            return points
        self._asked[rows] += in_l2.bisections
        return in_l2.nearest(self.images[rows], self.labels[rows], points)

    def settle(self, rows: Indices, points: Images) -> None:
        """Go from misclassified points to the boundary, on the way to the image."""
        if not len(rows):
            return
        self._asked[rows] += self._boundary.bisections
        clean = self.images[rows]
        at = self._boundary.nearest(clean, self.labels[rows], points)
        self.at[rows], self.distance[rows] = at, length(at - clean, self._norm)
        self.before[rows] = length(points - clean, self._norm)
        nearer = rows[self.distance[rows] < self._least[rows]]
        self._best[nearer], self._least[nearer] = self.at[nearer], self.distance[nearer]

    def inside(self, points: Images) -> Images:
        """Clip points to the box, if there is one."""
        return points if self._box is None else points.clip(*self._box)

    def crafted(self, beyond: float) -> Crafted:
        """Return the nearest points, a share `beyond` further if that is misclassified too."""
        rows = np.flatnonzero(np.isfinite(self._least))
        change = self._best[rows] - self.images[rows]
        tried = self.inside(self.images[rows] + np.float32(1 + beyond) * change)
        hit = self.ask(rows, tried)
        self._best[rows[hit]] = tried[hit]
        return Crafted(self._best, 0, float(self._asked.mean()))


def length(changes: Images, norm: str) -> Floats:
    """Return the norms of changes `(n,)`."""
    flat = changes.reshape(len(changes), -1)
    found: Floats = np.linalg.norm(flat, axis=1, ord=2 if norm == "l2" else np.inf)
    return found
