"""APGD against the paper's algorithm written out for one image."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from models import N, blobs, defended, logits, run
from written_out import algorithm_1, looking

from gauntlet.attacks import active_set
from gauntlet.attacks.auto_pgd import AutoPGD, checkpoints
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import LOSSES
from gauntlet.attacks.iterative import PGD
from gauntlet.seeding import child_seed

STEPS = 40


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (100, [22, 41, 57, 70, 80, 87, 93, 99]),
        (10, [2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (2, [1, 2]),
    ],
)
def test_checkpoints_are_the_authors(steps: int, expected: list[int]) -> None:
    assert checkpoints(steps) == expected


@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
def test_follows_algorithm_1(loss: str, monkeypatch) -> None:
    monkeypatch.setattr(active_set, "SMALLEST", 1)
    images, labels = blobs(N)
    epsilon = 0.12
    adversarial = run(AutoPGD(loss, STEPS, 1, "linf"), logits("dense"), epsilon, seed=3)
    u = Batch(tf.constant(images), tf.constant(labels), 0, N).uniform(child_seed(3, "apgd", "0"))
    starts = images + epsilon * u / np.abs(u).max(axis=(1, 2, 3), keepdims=True)
    walks = [
        algorithm_1(looking(logits("dense"), LOSSES[loss], label), image, start, epsilon, STEPS)
        for image, label, start in zip(images, labels, np.clip(starts, 0, 1), strict=True)
    ]
    expected, losses, halvings = map(np.array, zip(*walks, strict=True))
    assert 2 <= np.isinf(losses).sum() <= N - 2 and halvings.max() >= 3  # every branch was taken
    np.testing.assert_allclose(adversarial, expected, atol=1e-6)


def test_hits_are_dropped_and_cost_no_more(monkeypatch) -> None:
    results = []
    for smallest in (1, N):
        monkeypatch.setattr(active_set, "SMALLEST", smallest)
        attack = AutoPGD("cross_entropy", STEPS, 2, "linf")
        (result,) = attack(logits("dense"), *blobs(N), epsilons=[0.15])
        results.append(result)
    assert results[0].gradient_calls < 0.7 * results[1].gradient_calls
    np.testing.assert_allclose(results[0].adversarial, results[1].adversarial, atol=1e-6)


@pytest.mark.parametrize("model", ["dense", "reformer"])
def test_succeeds_at_least_as_often_as_pgd(model: str) -> None:
    labels = blobs(N)[1]
    for epsilon in (0.08, 0.12):
        ours, plain = (
            (defended(model).predict(run(a, logits(model), epsilon)) != labels).sum()
            for a in (
                AutoPGD("cross_entropy", STEPS, 1, "linf"),
                PGD(STEPS, 0.1, 1, "cross_entropy", "linf"),
            )
        )
        assert ours >= plain
