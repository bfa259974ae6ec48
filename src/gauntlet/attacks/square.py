"""Square attack (Andriushchenko et al. 2020), Linf: random search by squares, without gradients.

Each query sets the pixels of one random square to x + epsilon or x - epsilon, and the change stays
if it raises the margin. The squares shrink as queries are spent (algorithms 1 and 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.base import Attack, Crafted, Logits, Threat, bounds, clip_to, one_pass
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import compiled_score, margin, score
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

FIRST_SHARE = 0.8
"""Share of the pixels that the first squares cover."""

HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries after which the share is halved, if there are 10,000 (section 5, "schedule"); scaled to
other numbers."""


class _Squares(NamedTuple):
    """The square of each query, the same for all images; each tensor is `(queries - 1,)`.

    Attributes:
        side: in pixels.
        top: its first row.
        left: its first column.
        sign: -1 or 1, `(queries - 1, channels)`.
    """

    side: Tensor
    top: Tensor
    left: Tensor
    sign: Tensor


class _State(NamedTuple):
    """What every query is given.

    Attributes:
        images: the clean images.
        labels: true classes.
        at: the best points so far.
        loss: their margins `(n,)`; infinite for a hit, which no later point exceeds.
        finished: which images are hit.
    """

    images: Tensor
    labels: Tensor
    at: Tensor
    loss: Tensor
    finished: Tensor


@dataclass(frozen=True)
class Square(Attack):
    """Start from vertical stripes of +-epsilon; keep each square that raises the margin.

    As in the authors' code, places and signs of squares are drawn once per query for all images.

    Attributes:
        queries: per image at most. One more finds the images that are misclassified already.
    """

    queries: int

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        noise = batch.uniform(child_seed(threat.seed, "square", "stripes"))
        # The first row of noise decides the sign of each column.
        stripes = epsilon * tf.where(noise[:, :1] < 0, -1.0, 1.0)
        start = clip_to(threat.box, batch.images + stripes)
        squares = _squares(self.queries, batch.images.shape[1:], child_seed(threat.seed, "square"))
        return search(_tried, squares, start, self.queries, threat, batch, epsilon)


Tried = Callable[..., Tensor]
"""`(images, at, draws, k, epsilon, low, high)` -> the points that query k tries, from `at`.

They lie inside the budget and the box. `draws` are the random numbers of all queries.
"""


def search(
    tried: Tried,
    draws: NamedTuple,
    start: Tensor,
    queries: int,
    threat: Threat,
    batch: Batch,
    epsilon: float,
) -> Crafted:
    """Search from `start`, the first query; keep each point that raises the margin.

    Args:
        tried: what a query tries.
        draws: what `tried` gets of random numbers; tensors.
        start: inside budget and box, shaped as the images.
        queries: per image at most, `start` included. One more finds the images that are
            misclassified already.
        threat: the attacked model, and the box.
        batch: the clean images.
        epsilon: the budget.
    """
    look = compiled_score(threat.logits, margin)
    missed = tf.math.is_inf(look(batch.images, batch.labels))
    start = tf.where(missed[:, None, None, None], batch.images, start)
    loss = look(start, batch.labels)
    state = _State(batch.images, batch.labels, start, loss, tf.math.is_inf(loss))
    budget = tf.constant(epsilon, tf.float32)
    stage = _search(threat.logits, tried)
    state, taken = run_by_halves(stage, state, queries - 1, draws, budget, *bounds(threat.box))
    return Crafted(state.at, 0, 2 + taken)


def share(query: int, queries: int) -> float:
    """Return the share of the pixels that a query changes; query 0 is the stripes."""
    scaled = query * 10_000 // queries
    return float(FIRST_SHARE / 2 ** sum(scaled > after for after in HALVED_AFTER))


def _squares(queries: int, shape: tuple[int, int, int], seed: int) -> _Squares:
    """Draw the squares of all queries after the stripes."""
    height, width, channels = shape
    random = np.random.default_rng(seed)
    sides = np.array(
        [
            min(max(round(math.sqrt(share(k, queries) * height * width)), 1), height, width)
            for k in range(1, queries)
        ],
        np.int32,
    )
    top, left = (random.integers(0, n - sides + 1, dtype=np.int32) for n in (height, width))
    signs = random.choice(np.array([-1, 1], np.float32), (len(sides), channels))
    return _Squares(*map(tf.constant, (sides, top, left, signs)))


@lru_cache(maxsize=KEPT_MODELS)
def _search(logits: Logits, tried: Tried) -> Stage:
    """Compile the loop over queries. A step tries one change of every image."""
    look: Callable[[Tensor, Tensor], Tensor] = partial(score, logits, margin)

    def step(
        state: _State, k: Tensor, draws: NamedTuple, epsilon: Tensor, low: Tensor, high: Tensor
    ) -> _State:
        candidate = tried(state.images, state.at, draws, k, epsilon, low, high)
        loss = look(candidate, state.labels)
        better = loss > state.loss
        return state._replace(
            at=tf.where(better[:, None, None, None], candidate, state.at),
            loss=tf.where(better, loss, state.loss),
            finished=state.finished | tf.math.is_inf(loss),
        )

    return compile_stage(step)


def _tried(
    images: Tensor,
    at: Tensor,
    squares: _Squares,
    k: Tensor,
    epsilon: Tensor,
    low: Tensor,
    high: Tensor,
) -> Tensor:
    """Return the points with one square changed."""
    # 2 epsilon takes a pixel from one side of its budget to the other; clipping does the rest.
    change = 2 * epsilon * _square(_Squares(*(t[k] for t in squares)), images.shape[1:])
    return _changed(images, at, change, epsilon, low, high)


def _square(square: _Squares, shape: tuple[int, int, int]) -> Tensor:
    """Return an image `(height, width, channels)`, 1 or -1 in the square and 0 elsewhere."""
    return window(shape[:2], square.side, square.top, square.left) * square.sign


def window(shape: tuple[int, int], side: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """Return 1 in a square window of an image and 0 elsewhere, `(height, width, 1)`."""
    down, across = (tf.range(n) for n in shape)
    rows = (down >= top) & (down < top + side)
    columns = (across >= left) & (across < left + side)
    return tf.cast(rows[:, None, None] & columns[None, :, None], tf.float32)


@one_pass
def _changed(
    images: Tensor, at: Tensor, change: Tensor, epsilon: Tensor, low: Tensor, high: Tensor
) -> Tensor:
    """Return the points after a change, inside the budget and the box."""
    moved = tf.clip_by_value(at + change - images, -epsilon, epsilon)
    return tf.clip_by_value(images + moved, low, high)
