"""The first paper's attack on logistic regression: its formulas, and its published numbers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from models import run, train_regression

from gauntlet.attacks.base import BATCH
from gauntlet.attacks.batch import batches_of
from gauntlet.attacks.gradients import compiled_gradient
from gauntlet.attacks.logistic_regression import (
    LogisticRegressionAttack,
    choose_targets,
    other_classes,
    this_class,
)
from gauntlet.attacks.threat_models import logits_of
from gauntlet.classifiers.logistic_regression import as_frozen_dense
from gauntlet.data.registry import load

ZERO_SUM = np.array([[1, 0, -1, 2], [0, 1, 1, -1], [-1, -1, 0, -1]], np.float32)
ANY_SUM = np.array([[1, 0, -1, 2], [0, 2, 1, -1], [3, -1, 0.5, 1]], np.float32)
PIXELS = np.array([[0.1, 0.9, 0.3, 0.4], [0.7, 0.2, 0.5, 0.6], [0.5, 0.4, 0.9, 0.1]], np.float32)
LABELS = np.array([0, 1, 2])
DATA = PIXELS.reshape(3, 2, 2, 1), LABELS
CLOSE = {"rtol": 1e-5, "atol": 2e-6}  # float32; a small maximum divides a sum of cancelling terms

gradient_attack = partial(
    LogisticRegressionAttack, variant="gradient", target=0, targets_at=16.0, clip=False
)


def _linear(weights: np.ndarray):
    return lambda images, _: tf.reshape(images, (-1, weights.shape[1])) @ weights.T


def _mean_weights(weights: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return wbar = sum_c p_c w_c of each image, `(n, pixels)`."""
    p = np.exp(pixels @ weights.T)
    return (p / p.sum(axis=1, keepdims=True)) @ weights


def _numpy_step(weights: np.ndarray, pixels: np.ndarray, targets: np.ndarray) -> np.ndarray:
    g = weights[targets] - _mean_weights(weights, pixels)
    return g / g.max(axis=1, keepdims=True)


# --- formulas ---


def test_non_targeted_gradient_for_weights_that_sum_to_zero() -> None:
    g = compiled_gradient(_linear(ZERO_SUM), other_classes, False)(
        *map(tf.constant, (*DATA, DATA[1]))
    )
    by_hand = -ZERO_SUM[LABELS] - 2 * _mean_weights(ZERO_SUM, PIXELS)
    np.testing.assert_allclose(np.reshape(g, (3, 4)), by_hand, **CLOSE)


@pytest.mark.parametrize("weights", [ZERO_SUM, ANY_SUM], ids=["zero sum", "any sum"])
def test_non_targeted_gradient_in_general(weights: np.ndarray) -> None:
    g = compiled_gradient(_linear(weights), other_classes, False)(
        *map(tf.constant, (*DATA, DATA[1]))
    )
    others = weights.sum(axis=0) - weights[LABELS]
    by_hand = others - 2 * _mean_weights(weights, PIXELS)
    np.testing.assert_allclose(np.reshape(g, (3, 4)), by_hand, **CLOSE)


@pytest.mark.parametrize("target", range(3))
def test_targeted_gradient(target: int) -> None:
    labels = tf.fill([3], np.int64(target))
    g = compiled_gradient(_linear(ANY_SUM), this_class, False)(tf.constant(DATA[0]), labels, labels)
    by_hand = ANY_SUM[target] - _mean_weights(ANY_SUM, PIXELS)
    np.testing.assert_allclose(np.reshape(g, (3, 4)), by_hand, **CLOSE)


def test_step_is_divided_by_the_signed_maximum() -> None:
    adversarial = run(gradient_attack("non_targeted"), _linear(ZERO_SUM), 0.5, data=DATA)
    step = (adversarial.reshape(3, 4) - PIXELS) / 0.5
    g = -ZERO_SUM[LABELS] - 2 * _mean_weights(ZERO_SUM, PIXELS)
    np.testing.assert_allclose(step, g / g.max(axis=1, keepdims=True), **CLOSE)
    np.testing.assert_allclose(step.max(axis=1), 1, **CLOSE)
    assert step.min() < -1.1  # max |g| would have been the bound of both signs


def test_step_by_hand() -> None:
    # At x = 0 all three p are 1/3, so wbar = 0 and g = -w_0 = (-1, 0, 1, -2); max is 1.
    black = np.zeros((1, 2, 2, 1), np.float32), np.array([0])
    adversarial = run(gradient_attack("non_targeted"), _linear(ZERO_SUM), 0.25, data=black)
    np.testing.assert_allclose(adversarial.ravel(), [-0.25, 0, 0.25, -0.5], **CLOSE)


def test_sign_variant() -> None:
    attack = gradient_attack("non_targeted", variant="sign")
    step = run(attack, _linear(ANY_SUM), 0.25, data=DATA).reshape(3, 4) - PIXELS
    g = ANY_SUM.sum(axis=0) - ANY_SUM[LABELS] - 2 * _mean_weights(ANY_SUM, PIXELS)
    np.testing.assert_allclose(step, 0.25 * np.sign(g), atol=1e-7)  # rounding of x + delta


def test_one_target() -> None:
    attack = gradient_attack("one_target", target=2)
    step = (run(attack, _linear(ANY_SUM), 0.5, data=DATA).reshape(3, 4) - PIXELS) / 0.5
    np.testing.assert_allclose(step, _numpy_step(ANY_SUM, PIXELS, np.full(3, 2)), **CLOSE)


# --- targets ---

FOOLED = np.array(
    [
        [90, 3, 1, 0],  # 75, 25, 0 per cent
        [2, 50, 2, 0],  # a tie of 50 per cent: the first
        [0, 0, 7, 0],  # never fooled: the first that is not itself
        [999, 1000, 1, 5],  # 49.95 and 50.00 both round to 50: the first
    ]
)


@pytest.mark.parametrize(("natural", "targets"), [(True, [1, 0, 0, 0]), (False, [3, 3, 0, 2])])
def test_targets_by_hand(natural: bool, targets: list[int]) -> None:
    before = FOOLED.copy()
    assert choose_targets(FOOLED, natural=natural).tolist() == targets
    assert np.array_equal(FOOLED, before)


@pytest.mark.parametrize("natural", [True, False])
def test_no_class_is_its_own_target(natural: bool) -> None:
    for only in range(4):
        fooled = np.zeros((4, 4), int)
        fooled[only, only] = 9
        assert (choose_targets(fooled, natural=natural) != np.arange(4)).all()


@pytest.mark.parametrize("rule", ["natural", "non_natural"])
def test_targets_come_from_a_non_targeted_run(rule: str) -> None:
    pixels = np.random.default_rng(0).random((60, 4), np.float32)
    labels = (pixels @ ANY_SUM.T).argmax(axis=1)
    g = ANY_SUM.sum(axis=0) - ANY_SUM[labels] - 2 * _mean_weights(ANY_SUM, pixels)
    moved = pixels + 100 / 255 * g / g.max(axis=1, keepdims=True)
    fooled = np.zeros((3, 3), int)
    np.add.at(fooled, (labels, (moved @ ANY_SUM.T).argmax(axis=1)), 1)
    table = choose_targets(fooled, natural=rule == "natural")
    data = pixels.reshape(-1, 2, 2, 1), labels
    adversarial = run(gradient_attack(rule, targets_at=100.0), _linear(ANY_SUM), 0.5, data=data)
    step = (adversarial.reshape(-1, 4) - pixels) / 0.5
    np.testing.assert_allclose(step, _numpy_step(ANY_SUM, pixels, table[labels]), atol=2e-5)


# --- published numbers, full MNIST (shared/specs: scikit-learn 1.9.1; SIU 2019, Figs. 7 and 11) ---

COUNTS = [1007, 1151, 999, 1026, 975, 850, 964, 1021, 997, 1010]
GREY = (0, 8, 16, 29, 50)
TARGETS_AT = 16.0  # the kernel's and SIU's grey level
WITHIN = 0.002  # lbfgs depends on the BLAS in the last bits
GOLDEN = {
    "non-targeted": ("non_targeted", "gradient", GREY, [0.9238, 0.8668, 0.6355, 0.2492, 0.0416]),
    "non-targeted sign": ("non_targeted", "sign", GREY, [0.9238, 0.5175, 0.0739, 0.0043, 0.0011]),
    "natural": ("natural", "gradient", (16, 50), [0.6828, 0.0790]),
    "non-natural": ("non_natural", "gradient", (16, 50), [0.8018, 0.1613]),
    "one=7": ("one_target", "gradient", (0, 16, 50), [0.9238, 0.7573, 0.1713]),
    "natural sign": ("natural", "sign", (50,), [0.0]),
    "non-natural sign": ("non_natural", "sign", (50,), [0.0011]),
    "one=7 sign": ("one_target", "sign", (50,), [0.1028]),
}
TARGETS = {
    ("natural", 16): [5, 8, 8, 8, 9, 8, 5, 9, 3, 4],
    ("natural", 50): [5, 8, 8, 8, 9, 8, 5, 2, 3, 2],
    ("non_natural", 16): [1, 4, 9, 1, 0, 1, 1, 6, 4, 6],
    ("non_natural", 50): [1, 0, 0, 1, 1, 1, 1, 6, 0, 6],
}


@pytest.fixture(scope="module")
def mnist():
    return load("mnist")


@pytest.fixture(scope="module")
def regression(mnist):
    return train_regression(mnist.x_train, mnist.y_train)


def _predictions(regression, mnist, rule: str, variant: str, greys) -> list[np.ndarray]:
    """Return the classes under attack at each grey level."""
    attack = gradient_attack(rule, variant=variant, target=7, targets_at=TARGETS_AT)
    budgets = [grey / 255 for grey in greys]
    results = attack(
        logits_of(regression), mnist.x_test, mnist.y_test, epsilons=budgets, keeps_budget=False
    )
    return [regression(r.adversarial).numpy().argmax(axis=1) for r in results]


@pytest.mark.slow
def test_published_clean_predictions(regression, mnist) -> None:
    clean = regression(mnist.x_test).numpy().argmax(axis=1)
    assert (clean == mnist.y_test).mean() == pytest.approx(0.9238, abs=WITHIN)
    assert np.abs(np.bincount(clean, minlength=10) - COUNTS).sum() <= 50


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "variant", "greys", "golden"), GOLDEN.values(), ids=GOLDEN)
def test_published_accuracies(regression, mnist, rule, variant, greys, golden) -> None:
    predicted = _predictions(regression, mnist, rule, variant, greys)
    accuracies = [float((classes == mnist.y_test).mean()) for classes in predicted]
    assert accuracies == pytest.approx(golden, abs=WITHIN)


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "grey"), TARGETS)
def test_published_targets(regression, mnist, rule: str, grey: int) -> None:
    batches = list(batches_of(mnist.x_test, mnist.y_test, BATCH))
    attack = gradient_attack(rule, targets_at=float(grey))
    assert attack.targets(logits_of(regression), batches).tolist() == TARGETS[rule, grey]


@pytest.mark.slow
def test_published_figure_7(regression, mnist) -> None:
    clean = regression(mnist.x_test).numpy().argmax(axis=1)
    (attacked,) = _predictions(regression, mnist, "non_targeted", "sign", (16,))
    assert abs(int((attacked == clean).sum()) - 654) <= 20  # of 10,000: WITHIN
    assert (attacked == mnist.y_test).mean() == pytest.approx(0.0739, abs=WITHIN)


@pytest.mark.slow
def test_weights_sum_to_zero_over_the_classes(regression) -> None:
    (weights,) = regression.get_weights()
    # The L2 penalty keeps the sum at 0; lbfgs in float64, stored as float32.
    assert np.abs(weights.sum(axis=1)).max() < 1e-4 * np.abs(weights).max()


def test_frozen_regression_takes_weights_per_grey_level() -> None:
    model = as_frozen_dense(ANY_SUM.astype(np.float64) / 255, (2, 2, 1))
    np.testing.assert_allclose(model(DATA[0]), PIXELS @ ANY_SUM.T, **CLOSE)
