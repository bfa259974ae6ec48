"""C&W L2: nearest images of a linear model, known in closed form, and the search for c."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from models import SHAPE, N, blobs, defended, logits, run

from gauntlet.attacks import active_set
from gauntlet.attacks.carlini_wagner import CarliniWagnerL2

PIXELS = int(np.prod(SHAPE))
WEIGHTS = np.random.default_rng(0).normal(size=(PIXELS, 2)).astype(np.float32)
STRONG = CarliniWagnerL2(steps=300, searches=9, rate=0.02, confidence=0.0)


def _linear(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return tf.reshape(images - 0.4, (-1, PIXELS)) @ WEIGHTS


def _distance_to(margin: float, images: np.ndarray) -> np.ndarray:
    """Return how far the plane is on which the other class leads by a margin."""
    z = _linear(images, None).numpy()
    return (np.abs(z[:, 0] - z[:, 1]) + margin) / np.linalg.norm(WEIGHTS[:, 0] - WEIGHTS[:, 1])


@pytest.mark.parametrize("confidence", [0.0, 0.5])
def test_finds_the_foot_on_a_plane(confidence: float) -> None:
    images = blobs(N)[0]
    labels = _linear(images, None).numpy().argmax(axis=1)
    attack = CarliniWagnerL2(300, 9, 0.02, confidence)
    adversarial = run(attack, _linear, 1.0, data=(images, labels))
    z = _linear(adversarial, None).numpy()
    lead = z[np.arange(N), 1 - labels] - z[np.arange(N), labels]
    assert (lead >= confidence).all()
    change = (adversarial - images).reshape(N, -1)
    moved, nearest = np.linalg.norm(change, axis=1), _distance_to(confidence, images)
    # No pixel of these images meets the edge of the box on its way.
    assert (moved >= nearest - 1e-5).all()
    # Adam's steps of 0.02 in w straddle the plane: 1e-3 for an image that stands next to it.
    np.testing.assert_allclose(moved, nearest, rtol=0.02, atol=1e-3)


def test_more_searches_are_never_further() -> None:
    few, many = (run(CarliniWagnerL2(100, k, 0.05, 0.0), logits("dense"), 1.0) for k in (4, 8))
    images, labels = blobs(N)
    assert (defended("dense").predict(few) != labels).all()
    norms = [np.linalg.norm((x - images).reshape(N, -1), axis=1) for x in (few, many)]
    assert (norms[1] <= norms[0]).all() and (norms[1] < norms[0]).any()


@pytest.mark.parametrize("model", ["dense", "logistic_regression", "reformer"])
def test_fells_every_image_without_limit(model: str) -> None:
    adversarial = run(STRONG, logits(model), 1.0)
    assert (defended(model).predict(adversarial) != blobs(N)[1]).all()


def test_without_a_box_an_image_keeps_between_its_own_pixels() -> None:
    images = blobs(N)[0] * np.float32(3) - 1
    adversarial = run(STRONG, logits("dense"), 10.0, data=(images, blobs(N)[1]), box=None)
    assert (np.abs(adversarial - images).max(axis=(1, 2, 3)) > 0).sum() >= N / 2
    tolerance = 1e-6 * np.abs(images).max()
    assert (adversarial.min(axis=(1, 2, 3)) >= images.min(axis=(1, 2, 3)) - tolerance).all()
    assert (adversarial.max(axis=(1, 2, 3)) <= images.max(axis=(1, 2, 3)) + tolerance).all()


def test_image_of_one_colour_without_a_box_stays() -> None:
    images = np.full((N, *SHAPE), 0.5, np.float32)
    adversarial = run(STRONG, logits("dense"), 1.0, data=(images, blobs(N)[1]), box=None)
    assert np.array_equal(adversarial, images)


def test_dropping_images_whose_cost_stands_still_changes_nothing(monkeypatch) -> None:
    attack = CarliniWagnerL2(400, 4, 0.1, 0.0)
    results = []
    for smallest in (1, N):
        monkeypatch.setattr(active_set, "SMALLEST", smallest)
        results += attack(logits("dense"), *blobs(N), epsilons=[1.0])
    dropped, whole = results
    assert dropped.gradient_calls < whole.gradient_calls < 4 * 400
    np.testing.assert_allclose(dropped.adversarial, whole.adversarial, atol=1e-6)
