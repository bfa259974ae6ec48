"""HopSkipJump: what it asks, by hand; where it must end on linear models; and decisions alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from models import SHAPE, N, attack, blobs, defended, logits, run
from numpy.typing import NDArray

from gauntlet.arrays import REJECTED
from gauntlet.attacks.base import Attack, AttackResult
from gauntlet.attacks.boundary import estimate, halvings, nearest, towards
from gauntlet.attacks.decisions import decisions_of
from gauntlet.attacks.hop_skip_jump import HopSkipJump

PIXELS = int(np.prod(SHAPE))
GREY = np.full((1, *SHAPE), 0.5, np.float32)

both_norms = pytest.mark.parametrize("norm", ["l2", "linf"])


def _fooled_where(condition: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return logits that say class 1 where a condition of the images `(n, h, w, c)` holds."""

    def logits(images, labels):
        one = tf.cast(condition(images), tf.float32)
        return tf.stack([tf.fill(tf.shape(one), 0.5), one], axis=1)

    return logits


def _linear(seed: int) -> tuple[Callable, NDArray[np.float32], float]:
    """Return a linear model of two classes, and `w` and `b` of its margin `w x + b`."""
    w = np.random.default_rng(seed).normal(size=PIXELS).astype(np.float32)
    b = float(-0.5 * w.sum() - 0.5)  # the grey image has margin -0.5
    return _fooled_where(lambda x: tf.linalg.matvec(tf.reshape(x, (-1, PIXELS)), w) + b > 0), w, b


def _attacked(attack: Attack, model: Callable, images: Any, **options: Any) -> AttackResult:
    labels = np.zeros(len(images), np.int64)
    (result,) = attack(model, images, labels, epsilons=[1.0], **options)
    return result


# --- the boundary ---


@pytest.mark.parametrize(
    ("pixels", "norm", "expected"),
    [(16, "l2", 6), (16, "linf", 8), (784, "l2", 15), (784, "linf", 20)],
)
def test_ways_are_halved_to_theta(pixels: int, norm: str, expected: int) -> None:
    assert halvings(pixels, norm) == expected
    theta = pixels ** -(1.5 if norm == "l2" else 2.0)
    assert theta / 2 < 2.0**-expected <= theta


@pytest.mark.parametrize(
    ("norm", "expected"),
    # The largest change is 0.3: in Linf, each pixel may change by half of that.
    [("l2", [0.1, 0.35, 0.5]), ("linf", [0.15, 0.35, 0.5])],
)
def test_half_the_way_in_each_norm(norm: str, expected: list[float]) -> None:
    image = tf.constant([0.0, 0.5, 0.5], shape=(1, 1, 3, 1))
    point = tf.constant([0.2, 0.2, 0.5], shape=(1, 1, 3, 1))
    half = towards(norm, image, point, tf.constant([0.5])).numpy().ravel()
    np.testing.assert_allclose(half, expected, atol=1e-7)


@both_norms
@pytest.mark.parametrize("edge", [0.1, 0.61803, 0.97])
def test_bisection_ends_just_behind_the_edge(norm: str, edge: float) -> None:
    decide = decisions_of(_fooled_where(lambda x: tf.reduce_min(x, axis=[1, 2, 3]) > edge))
    black, white = tf.zeros((1, *SHAPE)), tf.ones((1, *SHAPE))
    found = nearest(decide, norm, (0.0, 1.0), 10, black, tf.constant([0], tf.int64), white)
    assert edge < found.numpy().min() and found.numpy().max() <= edge + 2.0**-10 + 1e-6


@both_norms
def test_bisection_returns_the_point_itself_if_nothing_before_it_is_wrong(norm: str) -> None:
    decide = decisions_of(_fooled_where(lambda x: tf.reduce_min(x, axis=[1, 2, 3]) >= 0.7))
    point = tf.fill((1, *SHAPE), 0.7)
    label = tf.constant([0], tf.int64)
    found = nearest(decide, norm, (0.0, 1.0), 6, tf.zeros((1, *SHAPE)), label, point)
    assert np.array_equal(found, point)


AXES = np.eye(PIXELS, dtype=np.float32)[:3].reshape(3, *SHAPE)


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ([AXES[0], AXES[1]], [1, -1, 0]),  # one hit, one miss: the mean vote is 0
        ([AXES[0], AXES[0] + AXES[2]], [2, 0, 1]),  # hits alone: the mean vote is not subtracted
        ([-AXES[0], -AXES[1]], [1, 1, 0]),  # misses alone
        ([AXES[0], AXES[0], AXES[1]], [4, -4, 0]),  # votes 1, 1, -1 less their mean 1/3
    ],
)
def test_direction_of_a_few_probes_by_hand(probes: list, expected: list[float]) -> None:
    decide = decisions_of(_fooled_where(lambda x: x[:, 0, 0, 0] > 0.5))
    label, reach = tf.constant([0], tf.int64), tf.constant([0.01])
    found = estimate(decide, "l2", (0.0, 1.0), GREY, label, reach, np.stack(probes)).numpy()
    np.testing.assert_allclose(
        found.ravel()[:3], np.array(expected) / np.linalg.norm(expected), atol=1e-4
    )
    signs = estimate(decide, "linf", (0.0, 1.0), GREY, label, reach, np.stack(probes)).numpy()
    assert np.array_equal(signs.ravel()[:3], np.sign(expected))


def test_a_probe_counts_only_inside_the_box() -> None:
    decide = decisions_of(_fooled_where(lambda x: x[:, 0, 0, 0] > 0.5))
    edge = GREY.copy()
    edge[0, 0, 1] = 1  # white already: the second probe cannot move it
    probes = np.stack([AXES[0], (AXES[1] - AXES[0]) / np.sqrt(2, dtype=np.float32)])
    label, reach = tf.constant([0], tf.int64), tf.constant([0.01])
    found = estimate(decide, "l2", (0.0, 1.0), edge, label, reach, probes).numpy().ravel()
    np.testing.assert_allclose(found[:2], [1, 0], atol=1e-4)


def test_many_probes_face_the_gradient() -> None:
    model, w, _ = _linear(0)
    boundary = GREY + 0.5 * (w / (w @ w)).reshape(1, *SHAPE)
    drawn = HopSkipJump("l2", 1, 200)._probes(4000, SHAPE, 5)
    label, reach = tf.constant([0], tf.int64), tf.constant([0.01])
    found = estimate(decisions_of(model), "l2", (0.0, 1.0), boundary, label, reach, drawn)
    # Theorem 2: the cosine is 1 - O(d / probes).
    assert float(found.numpy().ravel() @ w) / np.linalg.norm(w) > 0.99


@both_norms
def test_probes_are_unit_vectors_and_differ_by_seed(norm: str) -> None:
    one, two = (HopSkipJump(norm, 1, 200)._probes(500, SHAPE, seed) for seed in (1, 2))
    assert one.dtype == np.float32 and not np.array_equal(one, two)
    np.testing.assert_allclose(np.linalg.norm(one.reshape(500, -1), axis=1), 1, atol=1e-5)
    assert abs(one.mean()) < 4 / np.sqrt(500 * PIXELS) / np.sqrt(PIXELS)


# --- where it ends ---


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_comes_to_the_nearest_point_of_a_plane(seed: int) -> None:
    model, w, _ = _linear(seed)
    changes = {
        norm: _attacked(HopSkipJump(norm, 25, 20_000), model, GREY).adversarial - GREY
        for norm in ("l2", "linf")
    }
    nearest_l2, nearest_linf = 0.5 / np.linalg.norm(w), 0.5 / np.abs(w).sum()
    assert 1 < np.linalg.norm(changes["l2"]) / nearest_l2 < 1.01
    assert 1 < np.abs(changes["linf"]).max() / nearest_linf < 1.05


@both_norms
def test_more_steps_are_never_farther(norm: str) -> None:
    model, *_ = _linear(3)
    order = 2 if norm == "l2" else np.inf
    norms = [
        np.linalg.norm(
            (_attacked(HopSkipJump(norm, n, 9_000), model, GREY).adversarial - GREY).ravel(), order
        )
        for n in (1, 4, 16)
    ]
    assert norms == sorted(norms, reverse=True) and norms[-1] < 0.9 * norms[0]


@both_norms
@pytest.mark.parametrize("model", ["dense", "reformer"])
def test_found_points_stay_wrong_one_by_one(norm: str, model: str) -> None:
    images, labels = blobs(N)
    adversarial = run(attack(f"hop_skip_jump_{norm}"), logits(model), 1.0)
    moved = (adversarial != images).any(axis=(1, 2, 3))
    alone = [defended(model).predict(image[None])[0] for image in adversarial]
    assert moved.sum() > N / 2 and (np.array(alone) != labels)[moved].all()


# --- where it starts ---

BRIGHT = np.full((1, *SHAPE), 0.97, np.float32)
VERY_BRIGHT = _fooled_where(lambda x: tf.reduce_mean(x, axis=[1, 2, 3]) > 0.9)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_starts_from_an_image_of_another_class_where_noise_fails(batch_size: int) -> None:
    """Uniform noise has a mean of about 0.5: no image of it is bright."""
    images, labels = np.concatenate([GREY, BRIGHT]), np.array([0, 1])
    (result,) = HopSkipJump("l2", 3, 1000)(
        VERY_BRIGHT, images, labels, epsilons=[1.0], batch_size=batch_size
    )
    means = result.adversarial.mean(axis=(1, 2, 3))
    assert 0.9 < means[0] < 0.905 and 0.88 < means[1] <= 0.9


def test_starts_from_the_nearest_of_the_other_classes() -> None:
    """Two classes are reached by no noise; the start alone, without a step, shows from which."""

    def model(images, labels):
        mean = tf.reduce_mean(images, axis=[1, 2, 3])
        return tf.one_hot(tf.where(mean > 0.9, 1, tf.where(mean < 0.1, 2, 0)), 3)

    images = np.concatenate([GREY - 0.2, BRIGHT, 0.03 * GREY])
    (result,) = HopSkipJump("l2", 1, 200)(model, images, np.array([0, 1, 2]), epsilons=[1.0])
    assert result.adversarial[0].mean() < 0.1


def test_without_a_start_an_image_stays() -> None:
    never = _fooled_where(lambda x: tf.zeros(tf.shape(x)[:1]))
    result = _attacked(HopSkipJump("l2", 3, 1000), never, np.concatenate([GREY, GREY / 2]))
    assert np.array_equal(result.adversarial, np.concatenate([GREY, GREY / 2]))
    assert result.queries == 1 + HopSkipJump.NOISE  # no other class is predicted anywhere


# --- what it asks ---


@both_norms
@pytest.mark.parametrize("queries", [200, 250, 1000, 3000])
def test_never_asks_more_than_its_queries(norm: str, queries: int) -> None:
    model, *_ = _linear(1)
    result = _attacked(HopSkipJump(norm, 1000, queries), model, GREY)  # one image: no mean
    # What is left does not pay for the probes of another step.
    assert queries / 2 < result.queries <= queries or queries < 300
    assert result.gradient_calls == 0


@both_norms
def test_scores_make_no_difference(norm: str) -> None:
    """A model that tells the predicted class alone is attacked with the same bits."""

    name, told_more = f"hop_skip_jump_{norm}", logits("dense")

    def told(images, labels):
        return tf.one_hot(decisions_of(told_more)(images, labels), 3)

    assert np.array_equal(run(attack(name), told, 1.0), run(attack(name), told_more, 1.0))


@pytest.mark.slow  # compiles MagNet
@both_norms
def test_an_image_that_is_rejected_counts_as_correct(norm: str) -> None:
    images, labels = blobs(N)
    adversarial = run(attack(f"hop_skip_jump_{norm}"), logits("magnet"), 1.0)
    moved = (adversarial != images).any(axis=(1, 2, 3))
    judged = defended("magnet").predict(adversarial)[moved]
    assert moved.any() and (judged != REJECTED).all() and (judged != labels[moved]).all()
