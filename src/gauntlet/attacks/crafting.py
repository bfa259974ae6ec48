"""Adversarial images of an attack that a config names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gauntlet.attacks.base import BATCH, AttackResult
from gauntlet.attacks.registry import build_attack
from gauntlet.attacks.threat_models import Scenario
from gauntlet.config.attack import AttackConfig
from gauntlet.seeding import child_seed


def craft(
    name: str,
    config: AttackConfig,
    scenario: Scenario,
    starts: NDArray[np.float32],
    labels: NDArray[np.int64],
    unit: float = 1.0,
) -> list[AttackResult]:
    """Return what an attack makes of `starts` `(n, ...)` at each of its budgets, times `unit`.

    Its seed is a child of the config's, so that attacks do not shift each other's randomness.
    """
    seed = child_seed(config.seed, "attack", name)
    scenario.restart(child_seed(seed, "draws"))
    results = build_attack(name, config)(
        scenario.logits,
        starts,
        labels,
        epsilons=[unit * epsilon for epsilon in config.budgets(name)],
        box=scenario.box,
        seed=seed,
        batch_size=max(1, BATCH // scenario.samples),
    )
    return list(results)


def without_gradient(
    name: str,
    config: AttackConfig,
    scenario: Scenario,
    starts: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> NDArray[np.bool_] | None:
    """Return at which of `starts` the attack has no gradient; None: it follows none.

    To be called after `craft`: fresh draws of a random defence must not shift the attack's.
    """
    size = max(1, BATCH // scenario.samples)
    return build_attack(name, config).without_gradient(
        scenario.logits, starts, labels, batch_size=size
    )
