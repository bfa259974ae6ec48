"""SinglePixel and LocalSearch: what they query and change, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import DEFENDED, blobs, defended, logits, run

from gauntlet.attacks.base import Attack, AttackResult
from gauntlet.attacks.dense_start import dense_start
from gauntlet.attacks.local_search import LocalSearch, neighbourhoods
from gauntlet.attacks.pixel_query import one_pixel_query
from gauntlet.attacks.single_pixel import STRIDE, SinglePixel
from gauntlet.attacks.threat_models import logits_of
from gauntlet.seeding import child_seed

GREY = np.full((1, 4, 4, 1), 0.5, np.float32)
MNIST = np.full((2, 28, 28, 1), 0.25, np.float32)


def _fooled_where(condition: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return logits that say class 1 where a condition of the images `(n, h, w, c)` holds."""

    def logits(images, labels):
        one = tf.cast(condition(images), tf.float32)
        return tf.stack([tf.fill(tf.shape(one), 0.5), one], axis=1)

    return logits


def _attacked(attack: Attack, logits: Callable, images: Any, **options: Any) -> AttackResult:
    labels = np.zeros(len(images), np.int64)
    (result,) = attack(logits, images, labels, epsilons=[1.0], **options)
    return result


NEVER = _fooled_where(lambda x: tf.zeros(tf.shape(x)[:1]))

# --- SinglePixel ---


@pytest.mark.parametrize(
    ("condition", "value"),
    [(lambda x: x[:, 1, 2, 0] > 0.9, 1.0), (lambda x: x[:, 1, 2, 0] < 0.1, 0.0)],
)
def test_single_pixel_finds_the_only_one(condition, value: float) -> None:
    result = _attacked(SinglePixel(16), _fooled_where(condition), GREY)
    expected = GREY.copy()
    expected[0, 1, 2] = value
    assert np.array_equal(result.adversarial, expected)


def test_single_pixel_sets_all_channels() -> None:
    colour = np.full((1, 2, 2, 3), 0.5, np.float32)
    white = _fooled_where(lambda x: tf.reduce_min(x[:, 1, 0], axis=1) > 0.9)
    changed = _attacked(SinglePixel(4), white, colour).adversarial
    assert (changed[0, 1, 0] == 1).all() and (changed != colour).sum() == 3


def test_single_pixel_takes_the_first_hit_of_a_random_order_lowest_value_first() -> None:
    anything = _fooled_where(lambda x: tf.reduce_any(x != 0.5, axis=[1, 2, 3]))
    images = GREY.repeat(3, axis=0)
    changed = _attacked(SinglePixel(16), anything, images, seed=5).adversarial.reshape(3, -1)
    for index, image in enumerate(changed):
        order = np.random.default_rng(child_seed(5, "single_pixel", str(index))).permutation(16)
        assert image[order[0]] == 0 and (image != 0.5).sum() == 1


def test_single_pixel_success_depends_on_the_seed_only_if_pixels_are_left_out() -> None:
    one_pixel = _fooled_where(lambda x: x[:, 0, 0, 0] > 0.9)
    fooled = {
        pixels: [
            (_attacked(SinglePixel(pixels), one_pixel, GREY, seed=s).adversarial != GREY).any()
            for s in range(12)
        ]
        for pixels in (4, 16, 1000)
    }
    assert all(fooled[16]) and all(fooled[1000]) and 0 < sum(fooled[4]) < 12


@pytest.mark.parametrize(("max_pixels", "queries"), [(1, 3), (100, 201), (1000, 1 + 2 * 784)])
def test_single_pixel_queries_two_a_pixel(max_pixels: int, queries: int) -> None:
    result = _attacked(SinglePixel(max_pixels), NEVER, MNIST)
    assert (result.gradient_calls, result.queries) == (0, queries)
    assert np.array_equal(result.adversarial, MNIST)


def test_single_pixel_drops_an_image_with_a_hit() -> None:
    images = MNIST.copy()
    images[0] += 0.25  # easy: any change will do
    easy = _fooled_where(
        lambda x: (x[:, 0, 0, 0] == 0.5) & (tf.reduce_any(x != 0.5, axis=[1, 2, 3]))
    )
    result = _attacked(SinglePixel(784), easy, images)
    assert result.queries == 1 + (2 * STRIDE + 2 * 784) / 2


def test_single_pixel_asks_nothing_where_nothing_changes() -> None:
    black = np.zeros((1, 4, 4, 1), np.float32)
    assert _attacked(SinglePixel(16), NEVER, black).queries == 1 + 16
    assert _attacked(SinglePixel(16), NEVER, black, box=None).queries == 1  # its range is one value


# --- the first layer, updated ---


@pytest.mark.parametrize("name", ["dense", "logistic_regression"])
def test_query_of_a_dense_start_is_that_of_the_changed_images(name: str) -> None:
    images, labels = (array[:7] for array in blobs(60))
    shape, random = images.shape[1:], np.random.default_rng(0)
    flat = images.reshape(7, -1, shape[2])
    pixels = random.integers(-1, flat.shape[1], (7, 30))
    values = random.normal(size=(7, 30, shape[2])).astype(np.float32)
    assert dense_start(logits(name)) is not None
    whole = lambda x, y: logits(name)(x, y)  # noqa: E731 (not a model: every image is rebuilt)
    updated, rebuilt = (
        one_pixel_query(f, shape)(flat, labels, pixels, values) for f in (logits(name), whole)
    )
    np.testing.assert_allclose(updated, rebuilt, rtol=1e-4, atol=1e-4)
    assert (np.isnan(updated).all(axis=2) == (pixels < 0)).all()


@pytest.mark.parametrize("name", ["convolutional", "reformer", "features", "magnet"])
def test_other_models_have_no_dense_start(name: str) -> None:
    assert dense_start(logits(name)) is None


def test_branches_are_no_dense_start() -> None:
    image = keras.Input((2, 2, 1))
    first = keras.layers.Dense(3)(keras.layers.Flatten()(image))
    both = keras.layers.Concatenate()([keras.layers.Dense(2)(first), first])
    assert dense_start(logits_of(keras.Model(image, both))) is None


# --- LocalSearch ---

SEARCH = LocalSearch(150, "highest")


def _ends(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    return np.float32(low), np.float32(high)


@pytest.mark.parametrize(
    ("start", "orbit"),
    [
        (0.0, [0.75, 0.875, 0.0625, 0.84375]),
        (1.0, [0.25, 0.125, 0.9375, 0.15625]),
        (0.5, [0.5, 0.5]),
        (0.6, [0.65, 0.725, 0.8375, 0.00625]),
    ],
)
def test_cyclic_orbit(start: float, orbit: list[float]) -> None:
    value = np.float32(start)
    for expected in orbit:
        value = SEARCH.cyclic(value, *_ends(0, 1))
        assert value == pytest.approx(expected, abs=1e-6)


def test_perturbed_goes_far_out_of_the_range_and_leaves_the_middle() -> None:
    values = np.array([0.0, 0.3, 0.5, 0.7, 1.0], np.float32)
    assert SEARCH.perturbed(values, *_ends(0, 1)).tolist() == [-9.5, -9.5, 0.5, 10.5, 10.5]
    assert SEARCH.perturbed(5 * values - 2, *_ends(-2, 3))[-1] == 50.5


def test_start_is_a_tenth_of_the_pixels() -> None:
    random = [np.random.default_rng(seed) for seed in (0, 1)]
    assert SEARCH.start(random, 784).sum(axis=1).tolist() == [78, 78]
    assert SEARCH.start(random, 32 * 96).sum(axis=1).tolist() == [128, 128]
    assert SEARCH.start(random, 4).sum(axis=1).tolist() == [1, 1]


def test_draws_from_the_pool_without_replacement() -> None:
    pool = np.zeros((2, 784), bool)
    pool[0, :300] = pool[1, 5:9] = True
    random = [np.random.default_rng(seed) for seed in (0, 1)]
    many, few = SEARCH.drawn(random, pool)
    assert len(set(many)) == 128 and many.min() >= 0 and many.max() < 300
    assert sorted(few[:4]) == [5, 6, 7, 8] and (few[4:] == -1).all()


def test_neighbourhood_is_the_square_around_a_pixel() -> None:
    sizes = neighbourhoods((28, 28, 1), 5).sum(axis=1).reshape(28, 28)
    assert (sizes[0, 0], sizes[0, 14], sizes[14, 14], sizes[27, 4]) == (36, 66, 121, 60)


@pytest.mark.parametrize(
    ("selection", "expected"), [("lowest", [3, 4, 5, 6, 7]), ("highest", [9, 2, 8, 7, 6])]
)
def test_best_scores(selection: str, expected: list[int]) -> None:
    candidates = np.array([[9, 8, 7, 6, 5, 4, 3, 2, -1]])
    probability = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.9, np.nan], np.float32)

    def query(images, labels, pixels, values):
        return np.log(np.stack([1 - probability, probability], axis=1))[None]

    images, labels = np.zeros((1, 16, 1), np.float32), np.array([1])
    ends = (np.full((1, 1, 1), end, np.float32) for end in (0, 1))
    best = LocalSearch(1, selection).best(query, images, labels, candidates, *ends)
    assert best.tolist() == [expected]  # of equal scores the first drawn comes first


def test_fewer_candidates_than_wanted_repeat_the_best() -> None:
    def query(images, labels, pixels, values):
        return np.zeros((*pixels.shape, 2), np.float32)

    images, labels = np.zeros((1, 16, 1), np.float32), np.array([0])
    ends = (np.full((1, 1, 1), end, np.float32) for end in (0, 1))
    best = SEARCH.best(query, images, labels, np.array([[4, 2, -1, -1, -1, -1]]), *ends)
    assert best.tolist() == [[4, 2, 4, 4, 4]]


@pytest.mark.parametrize("rounds", [1, 3])
def test_local_search_queries(rounds: int) -> None:
    result = _attacked(LocalSearch(rounds, "highest"), NEVER, MNIST)
    first = 1 + 78 + 1  # the image, a tenth of its pixels, the changed image
    assert first + (rounds - 1) * 37 <= result.queries <= first + (rounds - 1) * 129
    assert rounds > 1 or result.queries == first
    assert np.array_equal(result.adversarial, MNIST) and result.gradient_calls == 0


def test_image_outside_the_box_is_no_hit() -> None:
    outside = _fooled_where(lambda x: tf.reduce_max(tf.abs(x), axis=[1, 2, 3]) > 1)
    result = _attacked(LocalSearch(5, "highest"), outside, MNIST)
    assert np.array_equal(result.adversarial, MNIST)


def test_first_round_changes_five_pixels_by_hand() -> None:
    colour = np.zeros((1, 10, 10, 3), np.float32)
    changed = _fooled_where(lambda x: tf.reduce_max(x, axis=[1, 2, 3]) > 0)
    result = _attacked(LocalSearch(1, "highest"), changed, colour)
    touched = (result.adversarial != 0).any(axis=3)
    assert touched.sum() == 5 and (result.adversarial[touched] == 0.75).all()
    assert result.queries == 1 + 10 + 1


@pytest.mark.parametrize("model", DEFENDED)
def test_highest_beats_lowest_where_pixels_are_black_or_white(model: str) -> None:
    images, labels = blobs(60)[0].round(), blobs(60)[1]
    right = defended(model).predict(images) == labels
    lowest, highest = (
        run(LocalSearch(5, selection), logits(model), 1.0, data=(images, labels))
        for selection in ("lowest", "highest")
    )
    for adversarial in (lowest, highest):
        assert adversarial.min() >= 0 and adversarial.max() <= 1
    fooled = [(defended(model).predict(a) != labels)[right].sum() for a in (lowest, highest)]
    assert fooled[0] < fooled[1] and fooled[1] == right.sum()


@pytest.mark.parametrize("attack", [SinglePixel(16), LocalSearch(5, "highest")])
def test_without_a_box_the_range_is_the_images_own(attack: Attack) -> None:
    images, labels = 40 * blobs(60)[0] - 10, blobs(60)[1]
    shifted = lambda x, y: logits("dense")((x + 10) / 40, y)  # noqa: E731
    (result,) = attack(shifted, images, labels, epsilons=[40.0], box=None)
    axes = (1, 2, 3)
    assert (result.adversarial != images).any()
    assert (result.adversarial.min(axes) >= images.min(axes)).all()
    assert (result.adversarial.max(axes) <= images.max(axes)).all()
