"""APGD-T and MultiTargeted PGD: losses by hand, linear models, the search written out."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import SHAPE, N, affine, attack, blobs, logits, run
from written_out import algorithm_1, looking

from gauntlet.attacks import active_set
from gauntlet.attacks.base import Attack
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.targeted import MultiTargeted, TargetedAutoPGD
from gauntlet.attacks.targets import likeliest_wrong, logit_difference, targeted_dlr
from gauntlet.attacks.threat_models import logits_of
from gauntlet.seeding import child_seed

CLASSES = 5
STEPS = 40
EVERY = (
    TargetedAutoPGD(CLASSES - 1, STEPS, 1, "linf"),
    MultiTargeted(CLASSES - 1, STEPS, 1, 0.1),
)

both = pytest.mark.parametrize("attack", EVERY, ids=lambda attack: type(attack).__name__)


@cache
def linear() -> keras.Model:
    """Return a linear model of five classes."""
    random = np.random.default_rng(4)
    return affine(random.normal(0, 1, (np.prod(SHAPE), CLASSES)), [0.0] * CLASSES)


@cache
def curved() -> keras.Model:
    """Return an untrained network of five classes that is not linear."""
    keras.utils.set_random_seed(1)
    image = keras.Input(SHAPE)
    hidden = keras.layers.Dense(16, "tanh")(keras.layers.Flatten()(image))
    return keras.Model(image, keras.layers.Dense(CLASSES)(hidden))


def _images() -> np.ndarray:
    return np.random.default_rng(0).random((N, *SHAPE), np.float32)


def _data(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Return images, and as labels what the model says of them."""
    return _images(), np.argmax(model(_images()), axis=1)


def _hits(attack: Attack, model: keras.Model, epsilon: float, box=(0.0, 1.0)) -> np.ndarray:
    images, labels = _data(model)
    adversarial = run(attack, logits_of(model), epsilon, data=(images, labels), box=box)
    return np.argmax(model(adversarial), axis=1) != labels


# --- losses ---

Z = np.array([[5.0, 1.0, 3.0, 2.0, 0.0], [2.0, 4.0, 4.5, -1.0, 1.0]], np.float32)
TRUE, AIMS = np.array([0, 1]), np.array([2, 4])


def test_targeted_dlr_by_hand() -> None:
    # -(5 - 3) / (5 - (2 + 1) / 2), and -(4 - 1) / (4.5 - (2 + 1) / 2).
    assert targeted_dlr(AIMS, labels=TRUE, logits=Z).numpy() == pytest.approx([-2 / 3.5, -3 / 3])


def test_logit_difference_by_hand() -> None:
    assert logit_difference(AIMS, labels=TRUE, logits=Z).numpy() == pytest.approx([-2, -3])


def test_neither_shift_nor_scale_changes_the_targeted_dlr() -> None:
    plain, moved = (targeted_dlr(AIMS, labels=TRUE, logits=z) for z in (Z, 100 * Z + 7))
    np.testing.assert_allclose(plain, moved, rtol=1e-5)


def test_equal_logits_have_a_ratio() -> None:
    assert targeted_dlr(AIMS, labels=TRUE, logits=np.ones_like(Z)).numpy().tolist() == [0, 0]


@pytest.mark.parametrize("classes", [2, 3])
def test_too_few_classes_for_the_ratio_leave_the_difference(classes: int) -> None:
    few, aims, true = Z[:, :classes], np.array([1, 0]), np.array([0, 1])
    difference = logit_difference(aims, labels=true, logits=few)
    assert np.array_equal(targeted_dlr(aims, labels=true, logits=few), difference)


@pytest.mark.parametrize(
    ("most", "expected"),
    [(1, [[2], [2]]), (2, [[2, 3], [2, 0]]), (9, [[2, 3, 1, 4], [2, 0, 4, 3]])],
)
def test_targets_are_the_likeliest_wrong_classes(most: int, expected: list) -> None:
    found = likeliest_wrong(tf.constant(TRUE), tf.constant(Z), most)
    assert found.dtype == tf.int64 and found.numpy().tolist() == expected


# --- known answers ---


def _distances(dual: int | float) -> np.ndarray:
    """Return how far each image is from the nearest boundary of the linear model, without a box."""
    images, labels = _data(linear())
    weights = linear().get_weights()[0]
    z = np.asarray(linear()(images))
    normals = weights[:, None, :] - weights[:, labels][:, :, None]
    reach = np.linalg.norm(normals, dual, axis=0)
    gaps = z[np.arange(N), labels][:, None] - z
    others = np.arange(CLASSES)[None] != labels[:, None]
    return np.where(others, gaps / np.where(others, reach, 1), np.inf).min(axis=1)


@both
@pytest.mark.parametrize("quantile", [0.3, 0.7])
def test_hits_exactly_what_the_budget_reaches_on_a_linear_model(attack, quantile: float) -> None:
    distances = np.sort(_distances(1))
    at = int(quantile * N)
    epsilon = float(distances[at - 1 : at + 1].mean())
    hit = _hits(attack, linear(), epsilon, box=None)
    assert np.array_equal(hit, _distances(1) < epsilon) and hit.sum() == at


@tf.autograph.experimental.do_not_convert
def _dead_end(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return logits: class 1 is nearest to class 0 and cannot be reached, class 2 can."""
    mean = tf.reduce_mean(images, axis=[1, 2, 3])
    return tf.stack([tf.ones_like(mean), 0.9 + 0 * mean, 2 * mean], axis=1)


@pytest.mark.parametrize("kind", [TargetedAutoPGD, MultiTargeted])
@pytest.mark.parametrize(("targets", "hit"), [(1, False), (2, True), (9, True)])
def test_the_next_target_is_tried_where_the_first_is_a_dead_end(kind, targets, hit) -> None:
    images = np.full((N, *SHAPE), 0.4, np.float32)
    more = {"rel_step": 0.5} if kind is MultiTargeted else {"norm": "linf"}
    adversarial = run(
        kind(targets=targets, steps=10, restarts=1, **more),
        _dead_end,
        0.15,
        data=(images, np.zeros(N, np.int64)),
    )
    assert np.array_equal(adversarial.mean(axis=(1, 2, 3)) > 0.5, np.full(N, hit))


# --- the search ---


def test_follows_algorithm_1_towards_each_target(monkeypatch) -> None:
    monkeypatch.setattr(active_set, "SMALLEST", 1)
    epsilon, count = 0.07, 2
    images, labels = _data(curved())
    z = np.array(curved()(images))
    z[np.arange(N), labels] = -np.inf
    targets = np.argsort(-z, axis=1)[:, :count]
    batch = Batch(tf.constant(images), tf.constant(labels), 0, N)
    expected, halvings = images.copy(), []
    for i in range(N):
        looks = [looking(logits_of(curved()), targeted_dlr, labels[i], [t]) for t in targets[i]]
        best = looks[0](images[i])[1]
        for rank in range(count):
            u = batch.uniform(child_seed(3, "target", str(rank), "0"))[i].numpy()
            start = np.clip(images[i] + epsilon * u / np.abs(u).max(), 0, 1)
            walk = algorithm_1(looks[rank], images[i], start, epsilon, STEPS)
            if best < np.inf and walk.loss > best:
                expected[i], best = walk.best, walk.loss
            halvings.append(walk.halvings)
    attack = TargetedAutoPGD(count, STEPS, 1, "linf")
    adversarial = run(attack, logits_of(curved()), epsilon, data=(images, labels), seed=3)
    hits = np.argmax(curved()(adversarial), axis=1) != labels
    assert 2 <= hits.sum() <= N - 2 and max(halvings) >= 3  # every branch was taken
    np.testing.assert_allclose(adversarial, expected, atol=1e-6)


@both
def test_an_image_that_is_hit_costs_no_further_target(attack, monkeypatch) -> None:
    monkeypatch.setattr(active_set, "SMALLEST", 1)
    calls = [
        next(attack(logits_of(curved()), *_data(curved()), epsilons=[epsilon])).gradient_calls
        for epsilon in (1e-6, 0.5)
    ]
    assert calls[0] == (CLASSES - 1) * (STEPS + 1)
    assert calls[1] < STEPS  # no whole climb


@both
def test_more_targets_than_wrong_classes_are_all_of_them(attack) -> None:
    data = _data(curved())
    kind, options = type(attack), {k: v for k, v in vars(attack).items() if k != "targets"}
    one, other = (
        run(kind(targets=targets, **options), logits_of(curved()), 0.07, data=data)
        for targets in (CLASSES - 1, 100)
    )
    assert np.array_equal(one, other)


@both
def test_more_targets_are_never_worse(attack) -> None:
    kind, options = type(attack), {k: v for k, v in vars(attack).items() if k != "targets"}
    hits = [_hits(kind(targets=targets, **options), curved(), 0.07) for targets in (1, 2, 4)]
    assert (hits[0] <= hits[1]).all() and (hits[1] <= hits[2]).all()


def test_hits_as_many_as_untargeted_attacks() -> None:
    labels = blobs(N)[1]
    found = {}
    for name in ("apgd_ce", "apgd_dlr", "apgd_t"):
        moved = run(attack(name, apgd_steps=30), logits("dense"), 0.1)
        found[name] = (np.argmax(logits("dense")(moved, labels), axis=1) != labels).sum()
    assert found["apgd_t"] >= max(found["apgd_ce"], found["apgd_dlr"]) > 1
