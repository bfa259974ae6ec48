"""Attacks with L2 budgets: the norm, known answers on linear models, the search written out."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import SHAPE, N, affine, attack, blobs, logits, run
from written_out import algorithm_1, looking

from gauntlet.attacks import active_set
from gauntlet.attacks.auto_pgd import AutoPGD
from gauntlet.attacks.base import Attack
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import LOSSES
from gauntlet.attacks.iterative import PGD
from gauntlet.attacks.norms import L2, LINF
from gauntlet.attacks.targeted import TargetedAutoPGD
from gauntlet.attacks.threat_models import logits_of
from gauntlet.seeding import child_seed

CLASSES, STEPS = 5, 40
CLIMBING = (
    PGD(STEPS, 0.1, 1, "margin", norm="l2"),
    AutoPGD("cross_entropy", STEPS, 1, norm="l2"),
    AutoPGD("dlr", STEPS, 1, norm="l2"),
    TargetedAutoPGD(CLASSES - 1, STEPS, 1, norm="l2"),
)


def _batch(images: np.ndarray, labels: np.ndarray) -> Batch:
    return Batch(tf.constant(images), tf.constant(labels), 0, len(images))


def _norms(changes: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.asarray(changes).reshape(len(changes), -1), axis=1)


# --- the norm ---

CHANGES = np.zeros((3, *SHAPE), np.float32)
CHANGES[0, 0, :2, 0], CHANGES[1, 0, :2, 0] = (3, 4), (0.3, -0.4)


def test_size_by_hand() -> None:
    sizes = [norm.size(CHANGES).numpy() for norm in (L2, LINF)]
    assert [x.shape for x in sizes] == [(3, 1, 1, 1)] * 2
    assert sizes[0].ravel() == pytest.approx([5, 0.5, 0])
    assert sizes[1].ravel() == pytest.approx([4, 0.4, 0])


def test_the_nearest_change_within_a_budget_by_hand() -> None:
    within = L2.within(CHANGES, 1.0).numpy()
    assert within[0, 0, :2, 0] == pytest.approx([0.6, 0.8])
    assert np.array_equal(within[1:], CHANGES[1:])
    assert LINF.within(CHANGES, 1.0).numpy()[0, 0, :2, 0] == pytest.approx([1, 1])


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])  # whose squares float32 does not hold
def test_the_steepest_step_has_norm_1_at_any_scale(scale: float) -> None:
    steepest = L2.steepest(tf.constant(CHANGES * scale, tf.float32)).numpy()
    assert steepest[0, 0, :2, 0] == pytest.approx([0.6, 0.8])
    assert _norms(steepest) == pytest.approx([1, 1, 0])


@pytest.mark.parametrize("norm", [LINF, L2], ids=lambda norm: norm.name)
def test_far_starts_lie_on_the_surface(norm) -> None:
    start = norm.far(_batch(*blobs(N)), 3, 0.7)
    assert norm.size(start).numpy().ravel() == pytest.approx(np.full(N, 0.7))


def test_starts_are_uniform_in_the_ball() -> None:
    images, labels = np.zeros((4000, 1, 3, 1), np.float32), np.zeros(4000, np.int64)
    start = np.asarray(L2.anywhere(_batch(images, labels), 3, 2.0)).reshape(-1, 3)
    # The share of the ball within radius r is (r / 2)^3: uniform numbers, of deviation 0.29. Each
    # bound is four standard errors of a mean of 4000.
    share = (np.linalg.norm(start, axis=1) / 2) ** 3
    assert share.max() <= 1 and abs(share.mean() - 1 / 2) < 0.02
    assert abs((share**2).mean() - 1 / 3) < 0.02
    # In a ball of radius 2 the mean square of a coordinate is 4 / 5, of deviation 0.8.
    assert (abs((start**2).mean(axis=0) - 0.8) < 0.06).all()
    assert (abs(start.mean(axis=0)) < 0.06).all()


def test_starts_do_not_depend_on_the_batch() -> None:
    images, labels = blobs(N)
    second = Batch(tf.constant(images[5:]), tf.constant(labels[5:]), 5, N - 5)
    for draw in (L2.far, L2.anywhere):
        whole, part = draw(_batch(images, labels), 1, 1.0), draw(second, 1, 1.0)
        np.testing.assert_allclose(whole[5:], part, atol=1e-6)


# --- known answers ---


@cache
def _linear(classes: int) -> keras.Model:
    random = np.random.default_rng(4)
    return affine(random.normal(0, 1, (np.prod(SHAPE), classes)), [0.0] * classes)


def _data(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).random((N, *SHAPE), np.float32)
    return images, np.argmax(model(images), axis=1)


def _distances(classes: int) -> np.ndarray:
    """Return how far each image is from the nearest boundary of the linear model, without a box."""
    images, labels = _data(_linear(classes))
    weights, z = _linear(classes).get_weights()[0], np.asarray(_linear(classes)(images))
    reach = np.linalg.norm(weights[:, None, :] - weights[:, labels][:, :, None], axis=0)
    gaps = z[np.arange(N), labels][:, None] - z
    others = np.arange(classes)[None] != labels[:, None]
    return np.where(others, gaps / np.where(others, reach, 1), np.inf).min(axis=1)


@pytest.mark.parametrize("attack", CLIMBING, ids=repr)
@pytest.mark.parametrize("quantile", [0.3, 0.7])
def test_hits_exactly_what_the_budget_reaches_on_a_linear_model(
    attack: Attack, quantile: float
) -> None:
    # The loss of an untargeted attack follows the wrong class of the largest logit, which need not
    # be the nearest one: of two classes it is.
    classes = CLASSES if isinstance(attack, TargetedAutoPGD) else 2
    model, distances = _linear(classes), np.sort(_distances(classes))
    at = int(quantile * N)
    epsilon = float(distances[at - 1 : at + 1].mean())
    images, labels = _data(model)
    moved = run(attack, logits_of(model), epsilon, data=(images, labels), box=None)
    hit = np.argmax(model(moved), axis=1) != labels
    assert np.array_equal(hit, _distances(classes) < epsilon) and hit.sum() == at


def test_of_two_classes_the_change_is_the_normal_of_the_boundary() -> None:
    model, epsilon = _linear(2), 1e-3  # too little to reach anything
    images, labels = _data(model)
    # Half of what leads aside is left by each step of size epsilon.
    attack = PGD(STEPS, 1.0, 1, "margin", norm="l2")
    moved = run(attack, logits_of(model), epsilon, data=(images, labels), box=None)
    weights = model.get_weights()[0]
    normal = (weights[:, 1 - labels] - weights[:, labels]).T
    expected = epsilon * normal / np.linalg.norm(normal, axis=1, keepdims=True)
    # float32 keeps 6e-8 of a pixel.
    np.testing.assert_allclose((moved - images).reshape(N, -1), expected, atol=2e-7)


# --- the search ---


def _unit(gradient: np.ndarray) -> np.ndarray:
    return gradient / max(float(np.linalg.norm(gradient)), 1e-12)


def _within(change: np.ndarray, epsilon: float) -> np.ndarray:
    return change * min(1.0, epsilon / max(float(np.linalg.norm(change)), 1e-12))


@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
def test_follows_algorithm_1(loss: str, monkeypatch) -> None:
    monkeypatch.setattr(active_set, "SMALLEST", 1)
    images, labels = blobs(N)
    epsilon = 0.4
    adversarial = run(AutoPGD(loss, STEPS, 1, norm="l2"), logits("dense"), epsilon, seed=3)
    far = L2.far(_batch(images, labels), child_seed(3, "apgd", "0"), epsilon)
    starts = np.clip(images + far, 0, 1)
    walks = [
        algorithm_1(
            looking(logits("dense"), LOSSES[loss], label),
            image,
            start,
            epsilon,
            STEPS,
            _unit,
            _within,
        )
        for image, label, start in zip(images, labels, starts, strict=True)
    ]
    expected, losses, halvings = map(np.array, zip(*walks, strict=True))
    assert 2 <= np.isinf(losses).sum() <= N - 2 and halvings.max() >= 2  # every branch was taken
    # Along 40 steps on a curved loss, rounding grows from 6e-8 a pixel.
    np.testing.assert_allclose(adversarial, expected, atol=5e-4)


@pytest.mark.parametrize("name", ["pgd", "apgd_ce", "apgd_dlr", "apgd_t"])
def test_a_linf_budget_reaches_what_an_l2_budget_of_that_size_does(name: str) -> None:
    """The L2 ball lies within the Linf ball, and holds the Linf ball of a quarter of its size."""
    hits = []
    for each, epsilon in ((name, 0.1), (f"{name}_l2", 0.4), (name, 0.4)):
        moved = run(attack(each, apgd_steps=30, steps=30), logits("dense"), epsilon)
        hits.append(np.argmax(logits("dense")(moved, blobs(N)[1]), axis=1) != blobs(N)[1])
    assert hits[0].sum() <= hits[1].sum() <= hits[2].sum() and hits[1].any()
