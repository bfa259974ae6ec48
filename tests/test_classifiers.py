"""Classifiers end in logits; logistic regression is scikit-learn's, to the last digit it has."""

from __future__ import annotations

import math
import warnings
from functools import cache

import keras
import numpy as np
import pytest
from models import (
    N_CLASSES,
    SHAPE,
    blobs,
    build_classifier,
    ignore,
    train_classifier,
    train_regression,
)
from sklearn.linear_model import LogisticRegression

from gauntlet.catalogue.classifiers import CLASSIFIERS
from gauntlet.classifiers.logistic_regression import as_frozen_dense
from gauntlet.config.training import ClassifierConfig
from gauntlet.data.registry import load
from gauntlet.errors import DivergenceError, GauntletError
from gauntlet.training.keras_loops import PREDICT_BATCH, predict

KINDS = [c.typed for c in CLASSIFIERS.values() if "raw" in c.inputs and not c.takes]
IMAGES, LABELS = blobs(60, seed=1)


def _config(kind: str = "dense", **changes) -> ClassifierConfig:
    tiny = {"preset": "smoke", "widths": (8,), "epochs": 8, "learning_rate": 0.02, "batch_size": 10}
    if kind == "convolutional":
        tiny |= {"classifier_epochs": 15, "classifier_batch_size": 6, "classifier_rate": 0.02}
    return ClassifierConfig(**{**tiny, **changes}, classifier=kind)


def _train(kind: str = "dense", report=ignore, **changes) -> keras.Model:
    return train_classifier(_config(kind, **changes), IMAGES, LABELS, N_CLASSES, report)


@cache
def _trained(kind: str) -> keras.Model:
    return _train(kind)


def _grey(images: np.ndarray) -> np.ndarray:
    return (images.reshape(len(images), -1) * np.float32(255)).astype(np.float64)


def _scikit_learn(images: np.ndarray, labels: np.ndarray) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 100 iterations do not converge
        return LogisticRegression(fit_intercept=False).fit(images, labels)


# --- both kinds ---


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_logits_and_no_probabilities(kind: str) -> None:
    logits = predict(_trained(kind), IMAGES)
    assert logits.shape == (60, N_CLASSES) and logits.dtype == np.float32
    assert logits.min() < 0
    # Probabilities would sum to 1 in every row; not one row of these comes near.
    assert np.abs(logits.sum(axis=1) - 1).min() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_learns_what_it_is_shown(kind: str) -> None:
    images, labels = blobs(60, seed=2)
    assert (predict(_trained(kind), images).argmax(axis=1) == labels).mean() > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_weights_bit_for_bit(kind: str) -> None:
    first, again = _trained(kind).get_weights(), _train(kind).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("kind", ["dense", "logistic_regression"])  # networks share one `fit`
def test_held_out_images_are_not_learned(kind: str) -> None:
    other = IMAGES.copy()
    other[-12:] = 1 - other[-12:]
    config = _config(kind, validation_size=12)
    one, two = (
        train_classifier(config, images, LABELS, N_CLASSES, ignore).get_weights()
        for images in (IMAGES, other)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_divergence_names_the_flag_that_is_read() -> None:
    config = _config(classifier_rate=10.0, activation="exponential")
    with pytest.raises(
        DivergenceError, match=r"epoch 1: train/loss is nan\. Lower --classifier_rate\.$"
    ):
        train_classifier(config, IMAGES, LABELS, N_CLASSES)


# --- dense ---


def test_other_seed_other_weights() -> None:
    assert not np.array_equal(_trained("dense").get_weights()[0], _train(seed=1).get_weights()[0])


def test_dense_architecture_of_the_paper() -> None:
    model = build_classifier(ClassifierConfig(), (28, 28, 1), 10)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [504, 28, 10]
    assert [layer.activation.__name__ for layer in dense] == ["relu", "relu", "linear"]
    # 784-504-28-10: weights and biases.
    by_hand = (784 * 504 + 504) + (504 * 28 + 28) + (28 * 10 + 10)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == by_hand


def test_dense_reports_loss_and_accuracy_of_both_parts() -> None:
    reported: list[tuple[int, set[str]]] = []
    report = lambda epoch, metrics: reported.append((epoch, set(metrics)))  # noqa: E731
    _train(report=report, validation_size=12)
    names = {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}
    assert reported == [(epoch, names) for epoch in range(1, 9)]


# --- convolutional ---


def test_convolutional_architecture_of_the_paper() -> None:
    model = build_classifier(ClassifierConfig(classifier="convolutional"), (28, 28, 1), 10)
    # 28 - 2 - 2, pooled; 12 - 2 - 2, pooled.
    sides = [layer.output.shape[1] for layer in model.layers if len(layer.output.shape) == 4]
    assert sides == [28, 26, 24, 12, 10, 8, 4]
    by_hand = (9 * 32 + 32) + (288 * 32 + 32) + (288 * 64 + 64) + (576 * 64 + 64)
    by_hand += (16 * 64 * 200 + 200) + (200 * 200 + 200) + (200 * 10 + 10)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == by_hand


@pytest.mark.parametrize("side", [4, 8, 19, 20])
def test_convolutional_stands_on_small_images(side: int) -> None:
    model = build_classifier(ClassifierConfig(classifier="convolutional"), (side, side, 1), 10)
    assert min(layer.output.shape[1] for layer in model.layers) >= 1


def test_dropout_is_seeded_and_off_at_inference() -> None:
    models = [
        build_classifier(ClassifierConfig(classifier="convolutional", seed=seed), SHAPE, N_CLASSES)
        for seed in (0, 0, 1)
    ]
    for model in models[1:]:
        model.set_weights(models[0].get_weights())
    first, same, other = (np.asarray(model(IMAGES, training=True)) for model in models)
    assert np.array_equal(first, same) and not np.array_equal(first, other)
    assert np.array_equal(models[0](IMAGES), models[2](IMAGES))


def test_convolutional_learns_by_nesterov_momentum() -> None:
    settings = _trained("convolutional").optimizer.get_config()
    assert (settings["name"], settings["momentum"], settings["nesterov"]) == ("sgd", 0.9, True)
    assert settings["learning_rate"] == pytest.approx(0.02)


# --- logistic regression ---


def test_frozen_dense_is_scikit_learns_decision_function() -> None:
    images, labels = load("digits").x_train[:300], load("digits").y_train[:300]
    regression = _scikit_learn(_grey(images), labels)
    logits = predict(train_regression(images, labels), images)
    # float32 against float64, logits of size 10 to 100.
    np.testing.assert_allclose(logits, regression.decision_function(_grey(images)), atol=1e-3)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_frozen_dense_of_any_weights(n_classes: int) -> None:
    coef = np.random.default_rng(n_classes).normal(size=(n_classes, 16)) / 255
    model = as_frozen_dense(coef, SHAPE)
    expected = IMAGES.reshape(60, -1) * 255 @ coef.T
    np.testing.assert_allclose(predict(model, IMAGES), expected, atol=1e-5)  # float32
    assert model.trainable_weights == [] and len(model.weights) == 1


def test_two_classes_get_a_logit_each() -> None:
    labels = LABELS % 2
    model = train_regression(IMAGES, labels)
    logits = predict(model, IMAGES)
    expected = _scikit_learn(_grey(IMAGES), labels).decision_function(_grey(IMAGES))
    assert logits.shape == (60, 2) and (logits[:, 0] == 0).all()
    np.testing.assert_allclose(logits[:, 1], expected, rtol=1e-4, atol=1e-4)  # float32


@pytest.mark.parametrize("lacking", [[0], [1], [0, 1]])
def test_logistic_regression_refuses_labels_that_lack_a_class(lacking: list[int]) -> None:
    kept = ~np.isin(LABELS, lacking)
    config = _config("logistic_regression", validation_size=0)
    names = ", ".join(map(str, lacking))
    with pytest.raises(GauntletError, match=f"none of class {names}: take more images"):
        train_classifier(config, IMAGES[kept], LABELS[kept], N_CLASSES)


def test_logistic_regression_needs_its_classes_among_what_it_learns_from() -> None:
    order = np.argsort(LABELS, kind="stable")
    config = _config("logistic_regression", validation_size=20)  # all of the last class
    with pytest.raises(GauntletError, match="none of class 2"):
        train_classifier(config, IMAGES[order], LABELS[order], N_CLASSES)


def test_grey_levels_are_whole_numbers_again() -> None:
    levels = np.arange(256, dtype=np.uint8)
    unit = np.divide(levels, np.float32(255), dtype=np.float32)
    assert np.array_equal(unit * np.float32(255), levels)


def test_logistic_regression_is_silent_about_its_iterations() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train_regression(IMAGES, LABELS)


def test_logistic_regression_reports_each_iteration() -> None:
    reported: list[tuple[int, dict[str, float]]] = []
    report = lambda *iteration: reported.append(iteration)  # noqa: E731
    _train("logistic_regression", report=report)
    iterations = int(_scikit_learn(_grey(IMAGES), LABELS).n_iter_[0])
    assert reported == [(number, {}) for number in range(1, iterations + 1)]
    assert iterations <= _config("logistic_regression").training.reports


# --- predict ---


@pytest.mark.parametrize("n", [1, PREDICT_BATCH - 1, PREDICT_BATCH + 1])
def test_predict_gives_a_row_an_image(n: int) -> None:
    images = np.resize(IMAGES, (n, *SHAPE))
    expected = np.resize(predict(_trained("dense"), IMAGES), (n, N_CLASSES))
    # A product over another number of rows may round otherwise.
    np.testing.assert_allclose(predict(_trained("dense"), images), expected, atol=1e-5)
