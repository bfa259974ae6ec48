"""MagNet: networks, noise, marks, thresholds and the folded logits, on numbers done by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from models import (
    N_CLASSES,
    SHAPE,
    N,
    affine,
    attack,
    blobs,
    build_autoencoder,
    classifier,
    ignore,
    logits,
    magnet,
    run,
    train_autoencoder,
)

from gauntlet.attacks.base import IMAGE_BOX
from gauntlet.attacks.gradients import LOSSES, compiled_gradient
from gauntlet.attacks.threat_models import Scenario, fold_rejection, logits_of
from gauntlet.autoencoders.magnet import noisy_once
from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.config.training import AutoencoderConfig
from gauntlet.defences.magnet import MagNet, divergence, threshold
from gauntlet.training.keras_loops import predict

PIXELS = math.prod(SHAPE)


# --- autoencoders ---


def _config(kind: str = "magnet_1", **changes) -> AutoencoderConfig:
    return AutoencoderConfig(autoencoder=kind, preset="smoke", **changes)


def _noisy(config: AutoencoderConfig, images: np.ndarray) -> np.ndarray:
    return noisy_once(images, config["noise"], config["validation_size"], config.seed)


@pytest.mark.parametrize(
    ("kind", "sides", "parameters"),
    [
        # 3x3 weights and biases: 1 to 3 channels, 3 to 3 each time, 3 to 1.
        ("magnet_1", [28, 28, 14, 14, 14, 28, 28, 28, 28], (9 + 1) * 3 + 3 * (27 + 1) * 3 + 28),
        ("magnet_2", [28, 28, 28, 28], (9 + 1) * 3 + (27 + 1) * 3 + 28),
    ],
)
def test_architecture(kind: str, sides: list[int], parameters: int) -> None:
    model = build_autoencoder(_config(kind), (28, 28, 1))
    assert [layer.output.shape[1] for layer in model.layers] == sides
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == parameters
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    assert {layer.activation.__name__ for layer in convolutions} == {"sigmoid"}
    assert {float(layer.activity_regularizer.l2) for layer in convolutions} == {1e-9}


@pytest.mark.parametrize("shape", [(5, 8, 1), (8, 7, 3), (9, 9, 1)])
def test_odd_sides_come_back_whole(shape: tuple[int, ...]) -> None:
    assert build_autoencoder(_config(), shape).output_shape[1:] == shape


def test_noise_is_drawn_once_and_held_out_images_stay_clean() -> None:
    images = np.full((400, *SHAPE), 0.5, np.float32)
    images[:100] = 0.98
    config = _config(noise=0.1, validation_size=60)
    noisy = _noisy(config, images)
    assert np.array_equal(noisy, _noisy(config, images))
    assert not np.array_equal(noisy, _noisy(_config(noise=0.1, validation_size=60, seed=1), images))
    assert np.array_equal(noisy[340:], images[340:]) and noisy.dtype == np.float32
    assert (noisy[100:340] - 0.5).std() == pytest.approx(0.1, rel=0.05)  # of 3,840 numbers
    assert noisy.max() == 1.0


def test_training_sees_noise_and_aims_at_clean_images(monkeypatch) -> None:
    seen = {}
    monkeypatch.setattr(
        "gauntlet.autoencoders.training.fit",
        lambda _, inputs, targets, *__, **___: seen.update(inputs=inputs, targets=targets),
    )
    config, images = _config(validation_size=12), blobs(60)[0]
    train_autoencoder(config, images, ignore)
    assert np.array_equal(seen["inputs"], _noisy(config, images))
    assert np.array_equal(seen["targets"], images)


# --- marks and thresholds ---


@pytest.mark.parametrize(
    ("rate", "by_hand"),
    [(0.1, 9.0), (0.3, 7.0), (0.39, 7.0), (0.99, 1.0), (0.099, np.nextafter(np.float32(9), 10))],
)
def test_threshold_by_hand(rate: float, by_hand: float) -> None:
    assert threshold(np.array([3, 9, 0, 1, 7, 2, 8, 4, 6, 5], np.float32), rate) == by_hand


def test_paper_rejects_the_fifth_largest_of_five_thousand() -> None:
    marks = np.random.default_rng(0).permutation(5000).astype(np.float32)
    assert threshold(marks, 0.001) == 4995


@pytest.mark.parametrize(
    ("p", "q", "by_hand"),
    [
        ([0.3, 0.7], [0.3, 0.7], 0),
        ([1, 0], [0, 1], math.log(2)),
        # Against the mean (3/4, 1/4): (log(4/3) + (log(2/3) + log 2) / 2) / 2.
        ([1, 0], [0.5, 0.5], (math.log(4 / 3) + (math.log(2 / 3) + math.log(2)) / 2) / 2),
    ],
)
def test_divergence_by_hand(p: list[float], q: list[float], by_hand: float) -> None:
    one, other = (np.log(np.array([v], np.float32) + 1e-30) for v in (p, q))
    assert np.asarray(divergence(one, other)) == pytest.approx(by_hand, abs=1e-6)  # float32
    assert np.array_equal(divergence(one, other), divergence(other, one))


@pytest.fixture(scope="module")
def by_hand() -> MagNet:
    """Reformer: always 0.5; second: always 0.2; classifier: mean brightness, 0.55 and 0.

    An image of one grey g has marks (g - 0.5)^2 and |g - 0.2|, limits 0.09 and 0.4.
    """
    grey, faint = (affine(np.zeros((PIXELS, PIXELS)), [g] * PIXELS, SHAPE) for g in (0.5, 0.2))
    brightness = np.zeros((PIXELS, 3))
    brightness[:, 0] = 1 / PIXELS
    tells = affine(brightness, [0.0, 0.55, 0.0])
    return MagNet(tells, grey, second=faint, detectors=("l2", "l1"), thresholds=(0.09, 0.4))


def _greys(*values: float) -> np.ndarray:
    return np.stack([np.full(SHAPE, value, np.float32) for value in values])


def test_marks_by_hand(by_hand) -> None:
    images = _greys(0.9, 0.5, 0.1)
    lowest = replace(by_hand, thresholds=())
    assert lowest.mark_names == ("l2", "l1")
    thresholds = lowest.calibrated(images, 0.34).thresholds  # the largest of three
    assert thresholds == pytest.approx((0.16, 0.7), abs=1e-6)


def test_jensen_shannon_marks_by_hand(by_hand) -> None:
    jsd = replace(by_hand, second=None, detectors=("jsd",), thresholds=())
    assert jsd.mark_names == ("jsd_10", "jsd_40")
    bare, reformed = (np.array([[g, 0.55, 0]], np.float32) for g in (0.9, 0.5))
    expected = [float(divergence(bare / t, reformed / t)[0]) for t in (10, 40)]
    # Of the order of 1e-4 and 1e-5, differences of logarithms in float32.
    assert jsd.calibrated(_greys(0.9), 0.999).thresholds == pytest.approx(expected, abs=1e-6)


def test_rejection_by_hand(by_hand) -> None:
    images = _greys(0.55, 0.85, 0.15, 0.65)
    # l2 marks 0.0025, 0.1225, 0.1225, 0.0225; l1 marks 0.35, 0.65, 0.05, 0.45.
    assert by_hand.predict(images).tolist() == [1, -1, -1, -1]
    bare, reformed, rejected = by_hand.verdicts(images)
    assert bare[1:].tolist() == [0, 1, 0]
    assert reformed.tolist() == [1] * 4 and rejected.tolist() == [False, True, True, True]


def test_parts_are_scored_by_hand(by_hand) -> None:
    images, labels = _greys(0.55, 0.85, 0.15), np.array([1, 0, 0])
    # The first is accepted, and reformed to class 1; bare, the second is 0 and the third is 1.
    assert dict(by_hand.part_metrics(images[1:], labels[1:])) == {
        "magnet/accuracy_none": 1 / 2,
        "magnet/accuracy_detector": 1,
        "magnet/accuracy_reformer": 0,
        "magnet/accuracy_both": 1,
    }
    assert dict(by_hand.part_metrics(images[:1], labels[:1]))["magnet/accuracy_both"] == 1
    assert dict(by_hand.own_metrics(images))["magnet/false_positive_rate"] == 2 / 3


def test_last_logit_by_hand(by_hand) -> None:
    found = predict(by_hand.graph, _greys(0.5, 0.85))
    # Reformed to 0.5 both: logits 0.5, 0.55, 0. Worst marks over limits: 0.3 / 0.4, 0.65 / 0.4.
    expected = [[0.5, 0.55, 0, 0.55 - 0.25], [0.5, 0.55, 0, 0.55 + 0.625]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), strength=st.floats(0, 0.5))
def test_last_logit_is_the_largest_iff_rejected(seed: int, strength: float) -> None:
    noise = np.random.default_rng(seed).uniform(-strength, strength, (N, *SHAPE))
    images = (blobs(N)[0] + noise).clip(0, 1).astype(np.float32)
    found = predict(magnet().graph, images)
    last = found[:, -1] - found[:, :-1].max(axis=1)
    clear = np.abs(last) > 1e-5  # what float32 tells apart
    assert np.array_equal(last[clear] > 0, magnet().predict(images)[clear] == -1)
    accepted = clear & (last < 0)
    assert np.array_equal(found.argmax(axis=1)[accepted], magnet().predict(images)[accepted])


@pytest.mark.parametrize(("rate", "rejected"), [(0.021, 2), (0.1, 9), (0.01, 0), (0.0101, 0)])
def test_each_detector_rejects_its_share_of_the_validation_images(rate, rejected) -> None:
    images = blobs(99, seed=3)[0]
    for detector in ("l2", "l1"):
        one = replace(magnet(), detectors=(detector,), thresholds=())
        assert (one.calibrated(images, rate).predict(images) == -1).sum() == rejected


# --- the attacker's view ---


def test_folding_by_hand() -> None:
    found = tf.constant([[1.0, 3.0, 2.0, 4.0], [1.0, 3.0, 2.0, 2.5], [1.0, 3.0, 2.0, 2.5]])
    folded = fold_rejection(found, tf.constant([0, 2, 1])).numpy()
    assert folded.tolist() == [[4, 3, 2], [1, 3, 2.5], [1, 3, 2]]


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_attack_on_a_rejected_image_lowers_its_worst_mark(by_hand, loss: str) -> None:
    images, labels = tf.constant(_greys(0.85, 0.1)), tf.constant([1, 1])
    gradient = compiled_gradient(logits_of(by_hand.graph, True), LOSSES[loss], False)(
        images, labels, labels
    )
    # Brighter than both reconstructions, l1 worst: down. Darker, l2 worst: up, towards 0.5.
    assert (gradient[0].numpy() < 0).all() and (gradient[1].numpy() > 0).all()


def test_attacker_sees_the_folded_logits_in_the_white_box_alone() -> None:
    images, labels = blobs(N)
    white = Scenario(THREAT_MODELS["white_box"], magnet()).logits(images, labels)
    gray = Scenario(THREAT_MODELS["gray_box"], magnet()).logits(images, labels)
    assert white.shape == gray.shape == (N, N_CLASSES)
    np.testing.assert_allclose(gray, predict(classifier("dense"), images), atol=1e-5)
    rejected = magnet().predict(images) == -1
    assert rejected.any() and (white.numpy().argmax(axis=1) == labels)[rejected].all()


def test_adaptive_attack_passes_detectors_that_stop_the_oblivious_one() -> None:
    images, labels = blobs(N)
    fooled = {}
    for name in ("white_box", "gray_box"):
        scenario = Scenario(THREAT_MODELS[name], magnet())
        assert scenario.box == IMAGE_BOX and np.array_equal(scenario.starts(images), images)
        (classes,) = scenario.votes(run(attack("pgd"), scenario.logits, 0.25))
        fooled[name] = float(((classes != labels) & (classes != -1)).mean())
    assert fooled["gray_box"] <= 0.25 and fooled["white_box"] >= 0.75


def test_grid_shows_the_reformed_image() -> None:
    assert np.array_equal(
        magnet().reconstruct(blobs(N)[0]), predict(magnet().autoencoder, blobs(N)[0])
    )


def test_same_callable_for_the_sameaffine() -> None:
    assert logits("magnet") is Scenario(THREAT_MODELS["white_box"], magnet()).logits
