"""SPSA: the estimated gradient, Adam's steps along it, and the chunks that bound its memory."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import SHAPE, N, attack, blobs, defended, logits, run
from scipy.linalg import hadamard

from gauntlet.attacks import active_set, spsa
from gauntlet.attacks.gradients import evaluate, margin
from gauntlet.seeding import child_seed

PIXELS = int(np.prod(SHAPE))


def test_all_orthogonal_probes_give_the_gradient() -> None:
    images, labels = tf.constant(blobs(N)[0]), tf.constant(blobs(N)[1] % 2)
    weights = np.random.default_rng(0).normal(size=(PIXELS, 2)).astype(np.float32)

    def linear(x, labels):
        return tf.reshape(x, (-1, PIXELS)) @ weights

    probes = tf.constant(hadamard(PIXELS).reshape(PIXELS, *SHAPE), tf.float32)
    slope = spsa._slope(linear, images, labels, probes)
    # Differences of float32 losses of about 1, 0.02 apart.
    np.testing.assert_allclose(slope, evaluate(linear, margin, images, labels)[0], atol=1e-4)


def test_probes_are_fair_signs_and_differ_by_step() -> None:
    one, two = (spsa._rademacher((500, *SHAPE), tf.constant([7, k])).numpy() for k in (0, 1))
    assert set(one.ravel().tolist()) == {-1.0, 1.0}
    assert abs(one.mean()) < 4 / np.sqrt(one.size) and abs((one * two).mean()) < 4 / np.sqrt(
        one.size
    )


def test_steps_are_adams() -> None:
    images, labels = blobs(N)
    epsilon, steps, samples = 0.03, 6, 8
    adversarial = run(spsa.SPSA(steps, samples), logits("dense"), epsilon, seed=3)
    adam, at = keras.optimizers.Adam(0.01, epsilon=1e-8), keras.Variable(images)
    for k in range(steps):
        probes = spsa._rademacher((samples, *SHAPE), tf.constant([child_seed(3, "spsa"), k]))
        slope = spsa._slope(logits("dense"), at.value, tf.constant(labels), probes)
        adam.apply([-slope], [at])
        at.assign(images + np.clip(at.numpy() - images, -epsilon, epsilon))
    stand = defended("dense").predict(adversarial) == labels
    assert stand.sum() >= N / 2
    # Adam divides by the size of a gradient: 1e-4 where that is next to nothing.
    np.testing.assert_allclose(adversarial[stand], at.numpy()[stand], atol=1e-4)


@pytest.mark.parametrize("model", ["dense", "reformer"])
def test_beats_random_noise(model: str) -> None:
    labels = blobs(N)[1]
    noisy, ours = (
        (defended(model).predict(run(a, logits(model), 0.2)) != labels).mean()
        for a in (attack("noise"), spsa.SPSA(30, 16))
    )
    assert ours > noisy + 0.2


def test_chunks_change_nothing_and_hits_are_dropped(monkeypatch) -> None:
    results = []
    for smallest, rows in ((N, 8192), (1, 8192), (1, 5 * 16)):  # whole, halves, 5 + 5 + 2 images
        monkeypatch.setattr(active_set, "SMALLEST", smallest)
        monkeypatch.setattr(spsa, "PROBES", rows)
        results += list(spsa.SPSA(30, 8)(logits("dense"), *blobs(N), epsilons=[0.2]))
    whole, halves, chunks = results
    assert chunks.queries < halves.queries < whole.queries == 30 * 17
    for other in (halves, chunks):
        np.testing.assert_allclose(other.adversarial, whole.adversarial, atol=1e-5)
