"""Square attack (Andriushchenko et al. 2020), Linf: random search by squares, no gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow as tf

from gauntlet.attacks.active_set import Stage, compile_stage, run_by_halves
from gauntlet.attacks.base import Attack, Batch, Box, Crafted, Logits, bounds, clip_to, one_pass
from gauntlet.attacks.gradients import compiled_score, margin, score
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

FIRST_SHARE = 0.8
"""Share of the pixels that the first squares cover."""

HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Of 10,000 queries: after each of these the share is halved (section 5, "schedule")."""


class _Squares(NamedTuple):
    """Where each query changes the image, the same for all images."""

    side: Any
    top: Any
    left: Any
    sign: Any  # (queries, channels)


class _State(NamedTuple):
    images: Any
    labels: Any
    at: Any
    loss: Any  # margin; infinite, and never exceeded: hit
    finished: Any


@dataclass(frozen=True)
class Square(Attack):
    """Start from vertical stripes of +-epsilon; keep each square that raises the margin.

    Places and signs of the squares are the authors': one draw per query, shared by all images.

    Attributes:
        queries: at most so many an image, besides the one that finds what is misclassified already.
    """

    skips_misclassified: ClassVar[bool] = True

    queries: int

    def _perturb(
        self, logits: Logits, batch: Batch, epsilon: float, box: Box, state: Any, seed: int
    ) -> Crafted:
        del state
        look = compiled_score(logits, margin)
        missed = tf.math.is_inf(look(batch.images, batch.labels))
        noise = batch.uniform(child_seed(seed, "square", "stripes"))
        stripes = epsilon * tf.where(noise[:, :1] < 0, -1.0, 1.0)
        start = tf.where(
            missed[:, None, None, None], batch.images, clip_to(box, batch.images + stripes)
        )
        loss = look(start, batch.labels)
        search = _State(batch.images, batch.labels, start, loss, tf.math.is_inf(loss))
        squares = _squares(self.queries, batch.images.shape[1:], child_seed(seed, "square"))
        search, taken = run_by_halves(
            _search(logits),
            search,
            self.queries - 1,
            squares,
            tf.constant(epsilon, tf.float32),
            *bounds(box),
        )
        return Crafted(search.at, 0, 2 + taken)


def share(query: int, queries: int) -> float:
    """Return the share of the pixels that a query changes, query 0 being the stripes."""
    scaled = query * 10_000 // queries
    return float(FIRST_SHARE / 2 ** sum(scaled > after for after in HALVED_AFTER))


def _squares(queries: int, shape: tuple[int, int, int], seed: int) -> _Squares:
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
def _search(logits: Logits) -> Stage:
    look: Callable[..., Any] = partial(score, logits, margin)

    def step(state: _State, k: Any, squares: _Squares, epsilon: Any, low: Any, high: Any) -> _State:
        change = 2 * epsilon * _square(_Squares(*(t[k] for t in squares)), state.images.shape[1:])
        candidate = _changed(state.images, state.at, change, epsilon, low, high)
        loss = look(candidate, state.labels)
        better = loss > state.loss
        return state._replace(
            at=tf.where(better[:, None, None, None], candidate, state.at),
            loss=tf.where(better, loss, state.loss),
            finished=state.finished | tf.math.is_inf(loss),
        )

    return compile_stage(step)


def _square(square: _Squares, shape: Any) -> Any:
    """Return an image that is +-1 in the square and 0 elsewhere."""
    down, across = (tf.range(n) for n in shape[:2])
    rows = (down >= square.top) & (down < square.top + square.side)
    columns = (across >= square.left) & (across < square.left + square.side)
    return tf.cast(rows[:, None, None] & columns[None, :, None], tf.float32) * square.sign


@one_pass
def _changed(images: Any, at: Any, change: Any, epsilon: Any, low: Any, high: Any) -> Any:
    moved = tf.clip_by_value(at + change - images, -epsilon, epsilon)
    return tf.clip_by_value(images + moved, low, high)
