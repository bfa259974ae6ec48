"""Attacks compared with plain cleverhans calls, and with the bare gradients that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from cleverhans.tf2.attacks.basic_iterative_method import basic_iterative_method
from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method

from benchmarks.timing import Comparison, compare
from gauntlet.arrays import Tensor
from gauntlet.attacks.base import BATCH, Attack
from gauntlet.attacks.iterative import BIM
from gauntlet.attacks.single_step import FGSM
from gauntlet.attacks.threat_models import logits_of
from gauntlet.config.training import ClassifierConfig
from gauntlet.training.runtime import start_from

IMAGES, STEPS, EPSILON = 10_000, 40, 0.1
SWEEP = [round(0.03 * i, 2) for i in range(1, 11)]


def run() -> Iterator[Comparison]:
    """Compare on the first paper's dense network, untrained: weights do not matter for speed."""
    start_from(0)
    model = ClassifierConfig().training.create((28, 28, 1), 10, 0)
    logits = logits_of(model)

    def plain(batch: Tensor) -> Tensor:
        return model(batch, training=False)

    rng = np.random.default_rng(0)
    images = rng.random((IMAGES, 28, 28, 1), np.float32)
    labels = rng.integers(0, 10, IMAGES)

    def ours(attack: Attack, epsilons: list[float]) -> None:
        for _ in attack(logits, images, labels, epsilons=epsilons):
            pass

    x, y = tf.constant(images), tf.constant(labels)
    step = 0.25 * EPSILON

    def cleverhans_bim() -> None:
        basic_iterative_method(
            plain,
            x,
            EPSILON,
            step,
            STEPS,
            np.inf,
            clip_min=0.0,
            clip_max=1.0,
            y=y,
            sanity_checks=False,
        )

    def cleverhans_fgsm() -> None:
        for epsilon in SWEEP:
            fast_gradient_method(plain, x, epsilon, np.inf, clip_min=0.0, clip_max=1.0, y=y)

    gradient = bare_gradient(model)
    batches = [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, IMAGES, BATCH)]

    def bare_gradients() -> None:
        for batch, truth in batches:
            for _ in range(STEPS):
                gradient(batch, truth)

    bim = BIM(STEPS, 0.25)
    yield compare(
        f"BIM, {STEPS} steps: faster than cleverhans",
        lambda: ours(bim, [EPSILON]),
        cleverhans_bim,
        wanted=">= 1.15",
    )
    yield compare(
        f"BIM, {STEPS} steps: cost over its bare gradients",
        lambda: ours(bim, [EPSILON]),
        bare_gradients,
        wanted="<= 1.15",
    )
    yield compare(
        f"FGSM, {len(SWEEP)} budgets: faster than cleverhans",
        lambda: ours(FGSM(), SWEEP),
        cleverhans_fgsm,
        wanted=">= 3",
    )


def bare_gradient(model: keras.Model) -> Callable[[Tensor, Tensor], Tensor]:
    """Compile `(images, labels) -> gradient` of the cross entropy, and nothing else."""

    def run(x: Tensor, y: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=False))
        return tape.gradient(loss, x)

    compiled: Callable[[Tensor, Tensor], Tensor] = tf.function(run)
    return compiled
