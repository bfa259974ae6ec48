"""Attacks compared with the bare calls that they need: gradients, Jacobians, forward passes.

The network and the images are those of `benchmarks.peers`. The numbers of calls per image are those
that the attack itself reports in `AttackResult`.
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
from gauntlet.arrays import Tensor

LIMITS: dict[str, dict[str, Any]] = {
    "bim": ITERATED,
    "pgd": ITERATED | {"restarts": 1},
    "apgd_ce": {"apgd_steps": STEPS},
    "apgd_dlr": {"apgd_steps": STEPS},
    "apgd_t": {"apgd_steps": STEPS},
    "multi_targeted": ITERATED | {"restarts": 1},
    "deepfool_l2": {},
    "deepfool_linf": {},
    "cw_l2": {"cw_searches": 2, "cw_steps": 50},
    "fmn_l2": {},
    "fmn_linf": {},
    "ddn": {},
    "fab_t": {"fab_steps": 20},
    "fab_t_l2": {"fab_steps": 20},
    "square": {"square_queries": 200},
    "spsa": {"spsa_steps": 2},
    "hop_skip_jump_l2": {"hop_skip_jump_steps": 2},
    "hop_skip_jump_linf": {"hop_skip_jump_steps": 2},
    "sigma_zero": {"sigma_zero_steps": 100},
    "single_pixel": {},
    "local_search": {"local_search_rounds": 10},
}
"""Attacks to compare, with parameters that keep them short."""

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


def _jacobian(model: keras.Model) -> Callable[[Tensor, Tensor], Tensor]:
    def run(x: Tensor, _: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = model(x, training=False)
        return tape.batch_jacobian(z, x)

    compiled: Callable[[Tensor, Tensor], Tensor] = tf.function(run)
    return compiled
