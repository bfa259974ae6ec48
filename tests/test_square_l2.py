"""Square attack in L2: bumps by hand, and the search written out for one image."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from models import SHAPE, N, blobs, defended, logits, run

from gauntlet.attacks import active_set, square_l2
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import margin
from gauntlet.attacks.norms import L2
from gauntlet.attacks.square_l2 import SquareL2, bump, side_of
from gauntlet.seeding import child_seed

QUERIES = 60


def test_bump_of_three_by_hand() -> None:
    """The upper half is one row (1/4, 1 + 1/4, 1/4), the lower two rows with the centre below."""
    upper = np.array([[1 / 4, 5 / 4, 1 / 4]])
    lower = np.array([[1 / 4, 1 / 4, 1 / 4], [1 / 4, 5 / 4, 1 / 4]])
    halves = [half / np.linalg.norm(half) for half in (upper, -lower)]
    assert bump(3) == pytest.approx(np.concatenate(halves) / np.sqrt(2), abs=1e-6)


@pytest.mark.parametrize("side", [1, 3, 5, 25])
def test_bump_has_norm_1_and_two_signs(side: int) -> None:
    assert np.linalg.norm(bump(side)) == pytest.approx(1)
    assert (bump(side)[side // 2 :] <= 0).all() and (bump(side)[: side // 2] >= 0).all()


@pytest.mark.parametrize(
    ("query", "size", "side"),
    [(0, 28, 25), (6, 28, 19), (4001, 28, 3), (0, 8, 7), (0, 4, 3), (4001, 4, 3), (0, 2, 1)],
)
def test_sides_are_odd_and_fit(query: int, size: int, side: int) -> None:
    assert side_of(query, 5000, size, size) == side


@pytest.mark.parametrize("shape", [(28, 28, 1), (24, 20, 3), (8, 8, 1), (4, 4, 1), (3, 3, 1)])
def test_tiles_fill_the_image_and_lie_apart(shape: tuple[int, int, int]) -> None:
    images = np.zeros((50, *shape), np.float32)
    batch = Batch(tf.constant(images), tf.zeros(50, tf.int64), 0, 50)
    tiles = np.asarray(square_l2._tiles(batch, 1))
    side = max(min(shape[:2]) // 5, 1)
    rows, columns = (n // side for n in shape[:2])
    # Each tile has norm 1, in each image and channel.
    assert (tiles**2).sum(axis=(1, 2)) == pytest.approx(np.full((50, shape[2]), rows * columns))
    signs = np.sign(tiles)
    assert not np.array_equal(signs[0], signs[1])
    top, left = ((n - n // side * side) // 2 for n in shape[:2])
    one = signs[:, top : top + side, left : left + side, :1]
    alike, turned = ((one == sign * one[:1]).all(axis=(1, 2, 3)) for sign in (1, -1))
    assert (alike | turned).all() and alike[1:].any() and turned.any()


def test_windows_lie_in_the_image_and_reach_its_edges() -> None:
    windows = square_l2._windows(2000, (28, 20, 3), 0)
    side = np.asarray(windows.side)[:, None]
    top, left = np.asarray(windows.top), np.asarray(windows.left)
    assert side[0] == 19 and side[-1] == 3
    assert (top >= 0).all() and (top + side).max() == 28
    assert (left >= 0).all() and (left + side).max() == 20
    assert (top[:, 0] != top[:, 1]).any() and set(np.asarray(windows.sign).ravel()) == {-1.0, 1.0}


def _search(image: np.ndarray, label: int, start: np.ndarray, epsilon: float) -> np.ndarray:
    """Search as algorithm 3 says, with windows cut out."""

    def look(x):
        f = float(margin(label[None], defended("dense").logits(x[None]))[0])
        return np.inf if f > 0 else f

    def norm(x):
        return float(np.linalg.norm(x))

    best, f_best = start, look(start)
    windows = square_l2._windows(QUERIES, SHAPE, child_seed(3, "square_l2"))
    for k in range(QUERIES - 1):
        if f_best == np.inf:
            break
        s, (t1, t2), (l1, l2) = (
            np.asarray(x[k]) for x in (windows.side, windows.top, windows.left)
        )
        change = best - image
        to, out_of = np.s_[t1 : t1 + s, l1 : l1 + s], np.s_[t2 : t2 + s, l2 : l2 + s]
        in_both = np.zeros(SHAPE, bool)
        in_both[to] = in_both[out_of] = True
        spare = max(epsilon**2 - norm(change) ** 2, 0)
        available = np.sqrt(norm(change[in_both]) ** 2 + spare)
        risen = bump(int(s)).T if windows.standing[k] else bump(int(s))
        new = risen[..., None] * np.asarray(windows.sign[k])
        new = new + change[to] / max(norm(change[to]), 1e-12)
        new = available * new / norm(new)
        moved = change.copy()
        moved[out_of] = 0
        moved[to] = new
        tried = (image + epsilon * moved / norm(moved)).clip(0, 1).astype(np.float32)
        f = look(tried)
        if f > f_best:
            best, f_best = tried, f
    return best


def test_follows_algorithm_3(monkeypatch) -> None:
    monkeypatch.setattr(active_set, "SMALLEST", 1)
    images, labels = blobs(N)
    batch, epsilon = Batch(tf.constant(images), tf.constant(labels), 0, N), 0.4
    tiles = square_l2._tiles(batch, child_seed(child_seed(3, "square_l2"), "tiles"))
    starts = np.clip(images + epsilon * np.asarray(L2.steepest(tiles)), 0, 1)
    expected = [_search(*each, epsilon) for each in zip(images, labels, starts, strict=True)]
    adversarial = run(SquareL2(QUERIES), logits("dense"), epsilon, seed=3)
    assert 2 <= (defended("dense").predict(adversarial) != labels).sum() <= N - 2
    np.testing.assert_allclose(adversarial, expected, atol=1e-5)


@pytest.mark.parametrize("model", ["dense", "reformer"])
def test_more_queries_are_better_than_the_start(model: str) -> None:
    labels = blobs(N)[1]
    few, many = (
        (defended(model).predict(run(SquareL2(n), logits(model), 0.45)) != labels).sum()
        for n in (1, 200)
    )
    assert many > few


def test_never_asks_more_than_its_queries() -> None:
    (result,) = SquareL2(30)(logits("dense"), *blobs(N), epsilons=[0.001])
    assert (result.queries, result.gradient_calls) == (31, 0)  # and one for what is wrong already
