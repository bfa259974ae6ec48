"""Attacks against the calls that nobody can do without: gradients, Jacobians, forward passes.

On the network and images of `benchmarks.peers`; the calls are what `AttackResult` says, an image
on average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from benchmarks.attacks import bare_gradient
from benchmarks.peers import CLASSES, ITERATED, STEPS, Target, ours, trained
from benchmarks.timing import Comparison, measured, seconds

LIMITS: dict[str, dict[str, Any]] = {
    "bim": ITERATED,
    "pgd": ITERATED | {"restarts": 1},
    "apgd_ce": {"apgd_steps": STEPS},
    "apgd_dlr": {"apgd_steps": STEPS},
    "deepfool_l2": {},
    "deepfool_linf": {},
    "cw_l2": {"cw_searches": 2, "cw_steps": 50},
    "square": {"square_queries": 200},
    "spsa": {"spsa_steps": 2},
    "single_pixel": {},
    "local_search": {"local_search_rounds": 10},
}
"""Attacks whose cost over their bare calls is told, with parameters that keep it short."""

BY_JACOBIANS = ("deepfool_l2", "deepfool_linf")


def run() -> Iterator[Comparison]:
    """Measure every limit."""
    for name, options in LIMITS.items():
        yield over_limit(name, options, trained())


def over_limit(name: str, options: dict[str, Any], target: Target, rounds: int = 3) -> Comparison:
    """Measure an attack's cost over as many bare gradients (or Jacobians) and forward passes."""
    cost = ours(name, options, target)
    x, y = tf.constant(target.images), tf.constant(target.labels)
    bare = _jacobian(target.model) if name in BY_JACOBIANS else bare_gradient(target.model)
    # DeepFool counts the pairs of the true class with each other one; a Jacobian has one row more.
    calls = cost.gradient_calls / (CLASSES - 1 if name in BY_JACOBIANS else 1)
    forward = tf.function(partial(target.model, training=False))

    def limit() -> None:
        for _ in range(round(calls)):
            bare(x, y)
        for _ in range(round(cost.queries)):
            forward(x)

    return measured(
        f"{name}: cost over its bare calls ({calls:.0f} back, {cost.queries:.0f} forward)",
        lambda: seconds(lambda: ours(name, options, target)),
        lambda: seconds(limit),
        "",
        rounds,
    )


def _jacobian(model: keras.Model) -> Callable[[Any, Any], Any]:
    def run(x: Any, _: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = model(x, training=False)
        return tape.batch_jacobian(z, x)

    compiled: Callable[[Any, Any], Any] = tf.function(run)
    return compiled
