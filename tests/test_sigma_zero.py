"""sigma-zero against the algorithm written out, and on linear models, where the answer is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from models import DEFENDED, SHAPE, N, attack, blobs, defended, logits, run
from numpy.typing import NDArray

from gauntlet.attacks import sigma_zero
from gauntlet.attacks.gradients import evaluate, margin
from gauntlet.attacks.sigma_zero import SigmaZero

PIXELS = int(np.prod(SHAPE))
STEPS = 25


def _linear(weights: NDArray[np.float32], bias: float) -> Callable:
    """Return logits of two classes whose margin, for class 0, is `x weights + bias`."""

    def model(images, labels):
        gap = tf.linalg.matvec(tf.reshape(images, (-1, PIXELS)), weights) + bias
        return tf.stack([tf.zeros_like(gap), gap], axis=1)

    return model


def _fewest(images: NDArray, weights: NDArray, bias: float) -> NDArray[np.int64]:
    """Return how many pixels must change: those that gain most, each moved as far as it goes."""
    flat = images.reshape(len(images), -1)
    gains = np.sort(np.where(weights > 0, weights * (1 - flat), -weights * flat))[:, ::-1]
    return 1 + (np.cumsum(gains, axis=1) + (flat @ weights + bias)[:, None] <= 0).sum(axis=1)


def _changed(adversarial: NDArray, images: NDArray) -> NDArray[np.int64]:
    return (adversarial != images).sum(axis=(1, 2, 3))


@pytest.mark.parametrize("needed", [1, 2, 4])
def test_few_large_weights_are_all_that_it_changes(needed: int) -> None:
    """Four pixels weigh about 1, the others 0.05; each of the four can add half its weight."""
    weights = np.full(PIXELS, 0.05, np.float32)
    weights[[1, 6, 8, 15]] = [1, -1.1, 0.95, -0.9]
    images = np.full((N, *SHAPE), 0.5, np.float32)
    bias = float(-(weights.sum() / 2) - 0.5 * needed + 0.2)
    data = images, np.zeros(N, np.int64)
    assert (_fewest(images, weights, bias) == needed).all()
    adversarial = run(SigmaZero(300), _linear(weights, bias), 1.0, data=data)
    assert (_changed(adversarial, images) == needed).all()


def test_is_as_sparse_as_can_be_on_linear_models() -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=PIXELS).astype(np.float32) ** 3
    images = random.uniform(0.3, 0.7, (N, *SHAPE)).astype(np.float32)
    bias = float(-np.abs(weights).sum() / 4 - (images.reshape(N, -1) @ weights).max())
    fewest = _fewest(images, weights, bias)
    data = images, np.zeros(N, np.int64)
    changed = _changed(run(SigmaZero(1000), _linear(weights, bias), 1.0, data=data), images)
    assert fewest.min() > 1 and (changed >= fewest).all()
    assert np.median(changed - fewest) == 0


def _algorithm_1(evaluated: Callable, image: NDArray, label: int) -> tuple[NDArray, int, list]:
    """Return the sparsest hit for one image, how many pixels it changes, and every tau."""
    delta, mean, square = (np.zeros_like(image) for _ in range(3))
    best, fewest, tau, taus = image, np.inf, 0.3, []
    rates = [0.1 + 0.9 * (1 + np.cos(np.pi * k / STEPS)) / 2 for k in range(STEPS + 1)]
    for k in range(STEPS):
        gradient, _, hit = evaluated(tf.constant((image + delta)[None]), tf.constant(label[None]))
        if hit[0] and (delta != 0).sum() < fewest:
            best, fewest = image + delta, (delta != 0).sum()
        slope = 2 * delta * 1e-3 / (delta**2 + 1e-3) ** 2 / image.size
        slope = slope - (0 if hit[0] else gradient[0].numpy())
        slope = slope / max(np.abs(slope).max(), 1e-12)
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        corrected = np.sqrt(square / (1 - 0.999 ** (k + 1))) + 1e-8
        delta = delta - rates[k] * mean / (1 - 0.9 ** (k + 1)) / corrected
        delta = np.clip(image + delta, 0, 1) - image
        tau = np.clip(tau + (1 if hit[0] else -1) * 0.01 * rates[k + 1], 0, 1)
        delta[np.abs(delta) < tau] = 0
        delta = delta.astype(np.float32)
        taus.append(tau)
    return best, fewest, taus


def test_follows_the_algorithm() -> None:
    images, labels = blobs(N)

    evaluated = tf.function(partial(evaluate, logits("dense"), margin))
    expected = [_algorithm_1(evaluated, *each) for each in zip(images, labels, strict=True)]
    adversarial = run(SigmaZero(STEPS), logits("dense"), 1.0)
    assert len({fewest for _, fewest, _ in expected}) > 1
    assert any(min(np.diff(taus)) < 0 < max(np.diff(taus)) for *_, taus in expected)
    # Adam divides by the size of a gradient, which is small late: rounding grows.
    np.testing.assert_allclose(adversarial, [best for best, *_ in expected], atol=2e-3)


def test_learning_rate_falls_along_a_cosine() -> None:
    rates = sigma_zero._rates(4).numpy()
    quarter = np.sqrt(0.5)  # of the cosine
    expected = [1, 0.55 + 0.45 * quarter, 0.55, 0.55 - 0.45 * quarter, 0.1]
    np.testing.assert_allclose(rates, expected, atol=1e-6)


def test_ends_at_a_single_pixel() -> None:
    weights = np.zeros(PIXELS, np.float32)
    weights[5] = 1
    images = np.full((1, *SHAPE), 0.5, np.float32)
    model, label = _linear(weights, -0.9), np.zeros(1, np.int64)
    (result,) = SigmaZero(1000)(model, images, label, epsilons=[1.0])
    assert _changed(result.adversarial, images) == 1 and result.gradient_calls < 10


@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_an_output_of_any_scale_is_attacked_alike(scale: float) -> None:
    """Without a box, changes are shares of each image's own range."""
    images, labels = blobs(N)
    dense = logits("dense")

    def model(x, y):
        return dense(x / scale, y)

    adversarial = run(SigmaZero(30), model, 1e3, data=(scale * images, labels), box=None) / scale
    low, high = (end(images, axis=(1, 2, 3), keepdims=True) for end in (np.min, np.max))
    assert (adversarial >= low - 1e-6).all() and (adversarial <= high + 1e-6).all()
    wrong = defended("dense").predict(adversarial) != labels
    assert wrong.sum() > N / 2
    assert np.median(_changed(np.round(adversarial, 5), np.round(images, 5))[wrong]) < PIXELS


@pytest.mark.slow
@pytest.mark.parametrize("model", DEFENDED)
def test_changes_no_more_pixels_than_local_search(model: str) -> None:
    images, labels = blobs(N)
    searched = run(attack("local_search", local_search_rounds=150), logits(model), 1.0)
    found = run(SigmaZero(1000), logits(model), 1.0)
    by_search, ours = (defended(model).predict(each) != labels for each in (searched, found))
    assert ours.sum() > 1 and (ours >= by_search).all()
    both = ours & by_search
    assert np.median(_changed(found, images)[both]) <= np.median(_changed(searched, images)[both])
