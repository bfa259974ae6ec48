"""FGSM, T-FGSM, BIM, PGD and MIM equal cleverhans 4.0.0 bit for bit."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import tensorflow as tf
from cleverhans.tf2.attacks.basic_iterative_method import basic_iterative_method
from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method
from cleverhans.tf2.attacks.momentum_iterative_method import momentum_iterative_method
from models import DEFENDED, N, attack, blobs, logits, plain, run

from gauntlet.attacks.batch import Batch
from gauntlet.attacks.iterative import BIM, MIM, PGD
from gauntlet.seeding import child_seed

pgd_module = importlib.import_module("cleverhans.tf2.attacks.projected_gradient_descent")

# cleverhans never checks: its checks stack tensors of several shapes, which NumPy 2 refuses.
BOX = {"clip_min": 0.0, "clip_max": 1.0, "sanity_checks": False}
STEPS = 6
REL_STEP = 0.25  # a power of two: epsilon * rel_step has no rounding that could differ

every_model = pytest.mark.parametrize("model", DEFENDED)
at_epsilon = pytest.mark.parametrize("epsilon", [0.03, 0.1, 0.3])


def _tensors() -> tuple[tf.Tensor, tf.Tensor]:
    return tuple(tf.constant(array) for array in blobs(N))


@every_model
@at_epsilon
def test_fgsm(model: str, epsilon: float) -> None:
    x, y = _tensors()
    theirs = fast_gradient_method(plain(model), x, epsilon, np.inf, y=y, **BOX)
    assert np.array_equal(run(attack("fgsm"), logits(model), epsilon), theirs)


@every_model
@at_epsilon
def test_targeted_fgsm(model: str, epsilon: float) -> None:
    x, y = _tensors()
    aim = tf.ones_like(y)
    theirs = fast_gradient_method(plain(model), x, epsilon, np.inf, y=aim, targeted=True, **BOX)
    assert np.array_equal(run(attack("t_fgsm", target=1), logits(model), epsilon), theirs)


@every_model
@at_epsilon
def test_bim(model: str, epsilon: float) -> None:
    x, y = _tensors()
    theirs = basic_iterative_method(
        plain(model), x, epsilon, REL_STEP * epsilon, STEPS, np.inf, y=y, **BOX
    )
    assert np.array_equal(run(BIM(STEPS, REL_STEP), logits(model), epsilon), theirs)


@every_model
@at_epsilon
def test_mim(model: str, epsilon: float) -> None:
    x, y = _tensors()
    theirs = momentum_iterative_method(
        plain(model), x, epsilon, REL_STEP * epsilon, STEPS, y=y, decay_factor=0.9, **BOX
    )
    assert np.array_equal(run(MIM(STEPS, REL_STEP, 0.9), logits(model), epsilon), theirs)


@every_model
@at_epsilon
def test_pgd_from_the_same_start(model: str, epsilon: float, monkeypatch) -> None:
    x, y = _tensors()
    noise = epsilon * Batch(x, y, 0, N).uniform(child_seed(5, "pgd", "0"))
    monkeypatch.setattr(pgd_module, "random_lp_vector", lambda *_, **__: noise)
    theirs = pgd_module.projected_gradient_descent(
        plain(model), x, epsilon, REL_STEP * epsilon, STEPS, np.inf, y=y, rand_init=True, **BOX
    ).numpy()
    ours = run(PGD(STEPS, REL_STEP, 1, "cross_entropy", "linf"), logits(model), epsilon, seed=5)
    # What is misclassified already keeps its pixels here, and moves on in cleverhans.
    right = np.argmax(plain(model)(x), axis=1) == y.numpy()
    assert right.sum() >= 10 and np.array_equal(ours[right], theirs[right])


@pytest.mark.parametrize("step", [0.1, 1 / 3])
def test_step_that_is_no_power_of_two_differs_by_rounding_only(step: float) -> None:
    x, y = _tensors()
    theirs = basic_iterative_method(plain("dense"), x, 0.3, step * 0.3, STEPS, np.inf, y=y, **BOX)
    ours = run(BIM(STEPS, step), logits("dense"), 0.3)
    # One unit in the last place of the step, 3e-8, in each of 6 steps.
    assert np.abs(ours - theirs).max() <= 6 * 3e-8 + 2e-7
