"""AutoAttack is what its attacks are together, at the cost of those that have something to do."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from models import attack, blobs, defended, logits

from gauntlet.attacks.auto_attack import AutoAttack, RandomisedAutoAttack
from gauntlet.attacks.fast_adaptive_boundary import TargetedFAB
from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.config.attack import AttackConfig

N = 96
NAMES = ("autoattack", "autoattack_l2", "autoattack_rand")


def _missed(images: np.ndarray) -> np.ndarray:
    return defended("dense").predict(images) != blobs(N)[1]


def _fallen(attack, epsilon: float) -> np.ndarray:
    (found,) = attack(logits("dense"), *blobs(N), epsilons=[epsilon], seed=3)
    return _missed(found.adversarial)


def _alone(made, member, epsilon: float) -> np.ndarray:
    """Which images fall to one of the attacks, run on all of them; FAB at the ensemble's norm."""
    if not isinstance(member, TargetedFAB):
        return _fallen(member, epsilon)
    images, labels = blobs(N)
    (found,) = member(logits("dense"), images, labels, epsilons=[100.0], seed=3)
    change = (found.adversarial - images).reshape(N, -1)
    order = np.inf if made.norm == "linf" else 2
    return _missed(found.adversarial) & (np.linalg.norm(change, order, axis=1) <= epsilon)


@pytest.mark.parametrize(("name", "epsilon"), [*zip(NAMES, (0.15, 0.5, 0.15), strict=True)])
def test_an_image_falls_if_any_of_the_attacks_fells_it(name: str, epsilon: float) -> None:
    made = attack(name)
    alone = np.stack([_alone(made, member, epsilon) for member in made.turns])
    together = _fallen(made, epsilon)
    assert np.array_equal(together, alone.any(axis=0))
    assert 0 < together.sum() < N, "there is something to tell apart"


def test_published_attacks_in_the_published_order() -> None:
    standard = AttackConfig().attack(ATTACKS["autoattack"]).create()
    assert isinstance(standard, AutoAttack)
    told = [
        (type(turn).__name__, {k: v for k, v in vars(turn).items() if k != "norm"})
        for turn in standard.turns
    ]
    assert told == [
        ("AutoPGD", {"loss": "cross_entropy", "steps": 100, "restarts": 1}),
        ("TargetedAutoPGD", {"targets": 9, "steps": 100, "restarts": 1}),
        (
            "TargetedFAB",
            {"steps": 100, "targets": 9, "bias": 0.1, "overshoot": 1.05, "pull": 0.9},
        ),
        ("Square", {"queries": 5000}),
    ]
    rand = AttackConfig().attack(ATTACKS["autoattack_rand"]).create()
    assert isinstance(rand, RandomisedAutoAttack)
    assert [(t.loss, t.steps, t.restarts) for t in rand.turns] == [
        ("cross_entropy", 100, 1),
        ("dlr", 100, 1),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_options_are_refused_that_it_does_not_read(name: str) -> None:
    assert ATTACKS[name].parameters == {}


def test_attacks_after_the_last_image_fell_cost_nothing() -> None:
    images, labels = blobs(N)
    made = attack("autoattack")
    (all_fall,) = made(logits("dense"), images, labels, epsilons=[1.0])
    (alone,) = made.turns[0](logits("dense"), images, labels, epsilons=[1.0])
    assert _missed(all_fall.adversarial).all()
    assert all_fall.gradient_calls == alone.gradient_calls
    assert np.array_equal(all_fall.adversarial, alone.adversarial)


def test_later_attacks_pay_for_the_images_that_are_left() -> None:
    images, labels = blobs(N)
    made = attack("autoattack")
    (together,) = made(logits("dense"), images, labels, epsilons=[0.15])
    costs = [
        next(iter(turn(logits("dense"), images, labels, epsilons=[0.15]))).gradient_calls
        for turn in made.turns
    ]
    assert costs[0] < together.gradient_calls < sum(costs)


@tf.autograph.experimental.do_not_convert
def _steps(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Logits that are constant between steps of 0.25: no gradient tells the way, queries do."""
    level = tf.reduce_mean(tf.floor(images * 8) / 8, axis=[1, 2, 3])
    return tf.stack([0.6 - level, level - 0.4, 0 * level], axis=1)


def test_square_fells_what_has_no_gradient() -> None:
    images, labels = np.full((4, 8, 8, 1), 0.45, np.float32), np.zeros(4, np.int64)
    made = AutoAttack(norm="linf", steps=6, targets=2, queries=200)
    (found,) = made(_steps, images, labels, epsilons=[0.3])
    assert (tf.argmax(_steps(found.adversarial, labels), axis=1) != 0).numpy().all()
    (gradients,) = made.turns[1](_steps, images, labels, epsilons=[0.3])
    assert (tf.argmax(_steps(gradients.adversarial, labels), axis=1) == 0).numpy().all()


def test_an_image_that_is_left_keeps_the_point_of_highest_margin() -> None:
    images, labels = blobs(N)
    (found,) = attack("autoattack")(logits("dense"), images, labels, epsilons=[0.1])
    left = ~_missed(found.adversarial)

    def margins(at: np.ndarray) -> np.ndarray:
        scores = logits("dense")(at, labels).numpy()
        true = scores[np.arange(N), labels].copy()
        scores[np.arange(N), labels] = -np.inf
        return scores.max(axis=1) - true

    assert left.any()
    assert (margins(found.adversarial)[left] > margins(images)[left]).all()
