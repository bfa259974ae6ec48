"""DeepFool on networks whose nearest boundary can be found by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from models import N, blobs, defended, logits, run

from gauntlet.attacks.base import AttackResult
from gauntlet.attacks.deepfool import RULES, DeepFool, Rules, to_boundary

GREY = np.full((1, 2, 2, 1), 0.5, np.float32)

every_norm = pytest.mark.parametrize("norm", ["l2", "linf"])
every_variant = pytest.mark.parametrize("variant", RULES)


def _linear(normals: list[list[float]], gaps: list[float], at: np.ndarray = GREY) -> Callable:
    """Return logits: 0 of class 0, and of each other class its gap at a point and its gradient."""
    weights = np.array([[0.0] * 4, *normals], np.float32).T
    bias = np.array([0.0, *gaps], np.float32) - at.reshape(-1) @ weights

    def logits(images, labels):
        return tf.reshape(images, (-1, 4)) @ weights + bias

    return logits


def _attacked(attack: DeepFool, logits: Callable, images=GREY, box=(0.0, 1.0)) -> AttackResult:
    labels = np.zeros(len(images), np.int64)
    (result,) = attack(logits, images, labels, epsilons=[1.0], box=box)
    return result


# Distances in L2 are 1/5 and 1/4, in Linf 1/5 and 1/8: each norm has a nearest class of its own.
NORMALS, GAPS = [[5.0, 0, 0, 0], [2.0, 2, 2, 2]], [-1.0, -1.0]
NEAREST = {"l2": (1 / 5, [1.0, 0, 0, 0]), "linf": (1 / 8, [1.0, 1, 1, 1])}


@every_variant
@every_norm
def test_linear_network_takes_one_step_to_the_nearest_boundary(norm: str, variant: str) -> None:
    result = _attacked(DeepFool(norm, variant, 50), _linear(NORMALS, GAPS))
    distance, direction = NEAREST[norm]
    overshoot = {"paper": 1.02, "foolbox1": 1.05, "foolbox3": 1.02}[variant]
    extra = 1e-4 if variant == "foolbox3" else 0.0
    step = overshoot * (distance + extra) * np.array(direction)
    np.testing.assert_allclose((result.adversarial - GREY).ravel(), step, atol=1e-6)
    # A backward pass for each of two other classes; classified before and after.
    assert (result.gradient_calls, result.queries) == (2, 2)


@every_variant
def test_step_does_not_depend_on_the_scale_of_the_logits(variant: str) -> None:
    plain, large = (
        _attacked(DeepFool("l2", variant, 1), _linear(scale * np.array(NORMALS), [-scale, -scale]))
        for scale in (1, 1000)
    )
    np.testing.assert_allclose(plain.adversarial, large.adversarial, atol=1e-6)


# Class 1 lies 0.4 / sqrt 2 away along two pixels, one of which is white already.
BRIGHT = np.array([1.0, 0.5, 0.5, 0.5], np.float32).reshape(1, 2, 2, 1)
AT_THE_BOX = _linear([[1.0, 1, 0, 0]], [-0.4], BRIGHT)


def test_foolbox3_makes_up_for_what_the_box_takes() -> None:
    one, many = (_attacked(DeepFool("l2", "foolbox3", k), AT_THE_BOX, BRIGHT) for k in (1, 50))
    assert np.array_equal(one.adversarial, BRIGHT)  # 0.2 of the 0.4 that it takes: nothing found
    assert many.adversarial.ravel() == pytest.approx([1, 0.9, 0.5, 0.5], abs=1e-3)
    assert many.adversarial.ravel()[1] > 0.9 and many.gradient_calls > 1


def test_foolbox1_stalls_before_a_boundary_at_the_box() -> None:
    # Each step leaves 1 - 1.05 / 2 of the gap.
    stalled = _attacked(DeepFool("l2", "foolbox1", 50), AT_THE_BOX, BRIGHT)
    assert np.array_equal(stalled.adversarial, BRIGHT) and stalled.gradient_calls == 50


def test_paper_clips_at_the_end_alone() -> None:
    result = _attacked(DeepFool("l2", "paper", 50), AT_THE_BOX, BRIGHT)
    assert result.gradient_calls == 1
    # Judged at (1.204, 0.704), where it has left its class; the box takes half of that.
    np.testing.assert_allclose(result.adversarial.ravel(), [1, 0.704, 0.5, 0.5], atol=1e-6)
    free = _attacked(DeepFool("l2", "paper", 50), AT_THE_BOX, BRIGHT, box=None)
    np.testing.assert_allclose(free.adversarial.ravel(), [1.204, 0.704, 0.5, 0.5], atol=1e-6)


def test_ten_likeliest_classes_are_candidates() -> None:
    # The eleventh by logit is by far the nearest.
    normals = [[1.0, 0, 0, 0]] * 9 + [[0.0, 100, 0, 0]]
    result = _attacked(DeepFool("l2", "foolbox1", 1), _linear(normals, [-0.1] * 9 + [-0.2]))
    assert result.gradient_calls == 9
    np.testing.assert_allclose((result.adversarial - GREY).ravel(), [0.105, 0, 0, 0], atol=1e-6)


@every_norm
@pytest.mark.parametrize(("variant", "nearest"), [("foolbox1", 1), ("foolbox3", 0)])
def test_class_tied_with_the_truth(norm: str, variant: str, nearest: int) -> None:
    normals = tf.reshape(tf.eye(2, 4), (1, 2, 2, 2, 1))
    step = to_boundary(tf.constant([[0.0, -0.5]]), normals, norm, RULES[variant]).numpy().ravel()
    length = (0.0, 0.5)[nearest] + RULES[variant].extra
    np.testing.assert_allclose(step, length * np.eye(4)[nearest], atol=1e-6)


@every_norm
def test_no_gradient_no_step(norm: str) -> None:
    normals = tf.zeros((3, 2, 2, 2, 1))
    gaps = tf.constant([[-1.0, -2.0], [0.0, 0.0], [np.nan, np.nan]])
    assert not to_boundary(gaps, normals, norm, Rules(0.0, 1e-4, False, "free")).numpy().any()


@every_norm
@pytest.mark.parametrize("variant", ["foolbox1", "foolbox3"])
def test_more_steps_keep_every_hit(variant: str, norm: str) -> None:
    images, labels = blobs(N)
    model = "reformer"
    right = defended(model).predict(images) == labels
    found = [run(DeepFool(norm, variant, k), logits(model), 1.0) for k in (1, 2, 50)]
    moved = [np.abs(f - images).max(axis=(1, 2, 3)) > 0 for f in found]
    for fewer, more in ((0, 1), (1, 2)):
        assert np.array_equal(found[fewer][moved[fewer]], found[more][moved[fewer]])
    assert np.array_equal(moved[2], right)
    assert np.array_equal(defended(model).predict(found[2]) != labels, np.ones(N, bool))


@every_norm
def test_each_norm_is_the_smaller_of_the_two_in_its_own(norm: str) -> None:
    images = blobs(N)[0]
    changes = {
        n: run(DeepFool(n, "foolbox3", 50), logits("dense"), 1.0) - images for n in ("l2", "linf")
    }
    order = 2 if norm == "l2" else np.inf
    sizes = {n: np.linalg.norm(c.reshape(N, -1), order, axis=1).mean() for n, c in changes.items()}
    assert min(sizes, key=sizes.__getitem__) == norm
