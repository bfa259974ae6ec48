"""Adversarial images of an attack that a config names."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.attacks.base import BATCH, AttackResult
from gauntlet.attacks.registry import build_attack
from gauntlet.attacks.threat_models import Scenario
from gauntlet.config.attack import AttackConfig
from gauntlet.seeding import child_seed


class Crafting(NamedTuple):
    """What an attack made at each budget, and at which images it has no gradient, `(n,)`.

    `no_gradient` is None if the attack follows none.
    """

    results: list[AttackResult]
    no_gradient: NDArray[np.bool_] | None


def craft(
    name: str,
    config: AttackConfig,
    scenario: Scenario,
    starts: NDArray[np.float32],
    labels: NDArray[np.int64],
    unit: float = 1.0,
) -> Crafting:
    """Return what an attack makes of `starts` `(n, ...)` at each of its budgets, times `unit`.

    Its seed is a child of the config's, so that attacks do not shift each other's randomness.
    """
    seed = child_seed(config.seed, "attack", name)
    scenario.restart(child_seed(seed, "draws"))
    attack, size = build_attack(name, config), max(1, BATCH // scenario.samples)
    results = list(
        attack(
            scenario.logits,
            starts,
            labels,
            epsilons=[unit * epsilon for epsilon in config.budgets(name)],
            box=scenario.box,
            seed=seed,
            batch_size=size,
        )
    )
    # Afterwards: it draws from a random defence, and must not shift the attack's draws.
    stuck = attack.without_gradient(scenario.logits, starts, labels, batch_size=size)
    return Crafting(results, stuck)
