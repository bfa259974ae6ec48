"""Square attack: the authors' schedule, and the search written out for one image."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from models import SHAPE, N, blobs, defended, logits, run

from gauntlet.attacks import active_set, square
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import margin
from gauntlet.attacks.square import Square, share
from gauntlet.seeding import child_seed

QUERIES = 60


@pytest.mark.parametrize(
    ("query", "queries", "halvings"),
    [
        (0, 10_000, 0),
        (10, 10_000, 0),
        (11, 10_000, 1),
        (50, 10_000, 1),
        (51, 10_000, 2),
        (8000, 10_000, 8),
        (8001, 10_000, 9),
        (5, 5000, 0),
        (6, 5000, 1),
        (4001, 5000, 9),
    ],
)
def test_share_follows_the_schedule(query: int, queries: int, halvings: int) -> None:
    assert share(query, queries) == 0.8 / 2**halvings


def test_squares_lie_in_the_image_and_reach_its_edges() -> None:
    side, top, left, sign = map(np.asarray, square._squares(2000, (28, 20, 3), 0))
    assert side[0] == 20 and side[-1] == 1  # round(sqrt(0.8 * 560)) = 21 does not fit
    assert (top >= 0).all() and (top + side).max() == 28
    assert (left >= 0).all() and (left + side).max() == 20
    assert sign.shape == (1999, 3) and set(sign.ravel().tolist()) == {-1.0, 1.0}


def _search(image: np.ndarray, label: int, stripes: np.ndarray, epsilon: float) -> np.ndarray:
    def look(x):
        f = float(margin(label[None], defended("dense").logits(x[None]))[0])
        return np.inf if f > 0 else f

    best = (image + epsilon * stripes).clip(0, 1).astype(np.float32)
    f_best = look(best)
    squares = zip(
        *map(np.asarray, square._squares(QUERIES, SHAPE, child_seed(3, "square"))), strict=True
    )
    for side, top, left, sign in squares:
        tried = best.copy()
        tried[top : top + side, left : left + side] += 2 * epsilon * sign
        tried = tried.clip(image - epsilon, image + epsilon).clip(0, 1)
        f = look(tried)
        if f_best < np.inf and f > f_best:
            best, f_best = tried, f
    return best


def test_follows_the_authors_search(monkeypatch) -> None:
    monkeypatch.setattr(active_set, "SMALLEST", 1)
    images, labels = blobs(N)
    batch = Batch(tf.constant(images), tf.constant(labels), 0, N)
    noise = batch.uniform(child_seed(3, "square", "stripes")).numpy()
    stripes = np.where(noise[:, :1] < 0, -1, 1)
    expected = [_search(*each, 0.12) for each in zip(images, labels, stripes, strict=True)]
    adversarial = run(Square(QUERIES), logits("dense"), 0.12, seed=3)
    assert 2 <= (defended("dense").predict(adversarial) != labels).sum() <= N - 2
    np.testing.assert_allclose(adversarial, expected, atol=1e-6)


@pytest.mark.parametrize("model", ["dense", "reformer"])
def test_more_queries_are_never_worse_than_stripes(model: str) -> None:
    labels = blobs(N)[1]
    few, many = (
        (defended(model).predict(run(Square(n), logits(model), 0.14)) != labels).sum()
        for n in (1, 200)
    )
    assert many > few


def test_never_asks_more_than_its_queries() -> None:
    (result,) = Square(30)(logits("dense"), *blobs(N), epsilons=[0.001])
    assert (result.queries, result.gradient_calls) == (31, 0)  # and one for what is wrong already
