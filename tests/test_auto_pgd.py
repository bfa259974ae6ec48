"""APGD against the paper's algorithm written out for one image."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from models import N, blobs, defended, logits, run

from gauntlet.attacks import active_set
from gauntlet.attacks.auto_pgd import AutoPGD, checkpoints
from gauntlet.attacks.batch import Batch
from gauntlet.attacks.gradients import LOSSES, evaluate
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


def _algorithm_1(evaluated, image: np.ndarray, label: int, start: np.ndarray, epsilon: float):
    """Return the points of one image, and how often the step was halved."""

    def look(x):
        g, f, hit = evaluated(tf.constant(x[None]), tf.constant(label[None]))
        return np.sign(g[0]), (np.inf if hit[0] else float(f[0]))

    def project(x):
        return np.clip(image + np.clip(x - image, -epsilon, epsilon), 0, 1).astype(np.float32)

    step, x_max, f_max, checked = 2 * epsilon, start, -np.inf, np.inf
    points, losses, halved, halvings, last = [start], [], True, 0, 0
    for k in range(STEPS + 1):
        x = points[-1]
        g, f = look(x)
        losses.append(f)
        if f > f_max:
            x_max, g_max, f_max = x, g, f
        if f == np.inf:
            break
        if k in checkpoints(STEPS):
            rises = sum(losses[i] > losses[i - 1] for i in range(last + 1, k + 1))
            halved = rises <= 0.75 * (k - last) or (not halved and f_max <= checked)
            last, checked = k, f_max
            if halved:
                step, halvings, g = step / 2, halvings + 1, g_max
                points[-1] = x = x_max
        z = project(x + step * g)
        points.append(z if k == 0 else project(x + 0.75 * (z - x) + 0.25 * (x - points[-2])))
    return x_max, f_max, halvings


@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
def test_follows_algorithm_1(loss: str, monkeypatch) -> None:
    monkeypatch.setattr(active_set, "SMALLEST", 1)
    images, labels = blobs(N)
    evaluated = tf.function(partial(evaluate, logits("dense"), LOSSES[loss]))
    epsilon = 0.12
    adversarial = run(AutoPGD(loss, STEPS, 1), logits("dense"), epsilon, seed=3)
    u = Batch(tf.constant(images), tf.constant(labels), 0, N).uniform(child_seed(3, "apgd", "0"))
    starts = images + epsilon * u / np.abs(u).max(axis=(1, 2, 3), keepdims=True)
    walks = [
        _algorithm_1(evaluated, *each, epsilon)
        for each in zip(images, labels, np.clip(starts, 0, 1), strict=True)
    ]
    expected, losses, halvings = map(np.array, zip(*walks, strict=True))
    assert 2 <= np.isinf(losses).sum() <= N - 2 and halvings.max() >= 3  # every branch was taken
    np.testing.assert_allclose(adversarial, expected, atol=1e-6)


def test_hits_are_dropped_and_cost_no_more(monkeypatch) -> None:
    results = []
    for smallest in (1, N):
        monkeypatch.setattr(active_set, "SMALLEST", smallest)
        attack = AutoPGD("cross_entropy", STEPS, 2)
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
            for a in (AutoPGD("cross_entropy", STEPS, 1), PGD(STEPS, 0.1, 1, "cross_entropy"))
        )
        assert ours >= plain
