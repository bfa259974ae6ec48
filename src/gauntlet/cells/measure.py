"""The one way to a number: craft adversarial images, let the judge see them, count.

Nothing is logged, drawn or printed here, so entry points, studies and tests all call `measure`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.attacks.base import BATCH, AttackResult
from gauntlet.attacks.threat_models import Scenario
from gauntlet.catalogue.attacks import target_of
from gauntlet.catalogue.units import metric_step
from gauntlet.cells.plan import Cell
from gauntlet.cells.result import CellResult, Cost
from gauntlet.defences.stochastic import majority
from gauntlet.evaluation.distances import distances
from gauntlet.evaluation.metrics import (
    AttackOutcome,
    attack_metrics,
    clean_metrics,
    concentration,
    draw_metrics,
)
from gauntlet.seeding import child_seed

Metric = tuple[str, float, int]
"""Name, value and step; the step of a budget is `metric_step(epsilon)`."""


class Crafting(NamedTuple):
    """What an attack made.

    Attributes:
        results: at each budget.
        no_gradient: at which images it has no gradient `(n,)`; None: it follows none.
        cost: of all of `results`.
    """

    results: list[AttackResult]
    no_gradient: NDArray[np.bool_] | None
    cost: Cost


@dataclass(frozen=True, eq=False)
class Measurement:
    """All that measuring one cell gives.

    Attributes:
        result: what is kept, example by example.
        metrics: what is logged.
        starts: what the perturbations were added to, `(n, height, width, channels)`.
        crafting: the adversarial images; cells of the same view share them.
        scenario: the defended model under the threat model.
    """

    result: CellResult
    metrics: tuple[Metric, ...]
    starts: NDArray[np.float32]
    crafting: Crafting
    scenario: Scenario


def measure(
    cell: Cell,
    scenario: Scenario,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    crafting: Crafting | None = None,
) -> Measurement:
    """Attack images and judge the result, at every budget of a cell.

    Args:
        cell: what is measured.
        scenario: the assembled defence under the cell's threat model.
        images: `(n, height, width, channels)` in [0, 1].
        labels: true classes `(n,)`.
        crafting: what another cell of the same view crafted for the same images; none: nothing.
    """
    starts = scenario.starts(images)
    unit = _unit(cell, starts, images)
    crafted = crafting or _craft(cell, scenario, starts, labels, unit)
    votes = scenario.votes(starts)
    clean = majority(votes)
    found = _of_clean(scenario, starts, labels, votes)
    metrics: list[Metric] = [(name, value, 0) for name, value in found]
    outcomes = []
    for epsilon, made in zip(cell.epsilons, crafted.results, strict=True):
        votes = scenario.votes(made.adversarial)
        outcomes.append(_outcome(labels, clean, majority(votes), made.adversarial - starts))
        found = _of_budget(cell, scenario, outcomes[-1], made, votes)
        metrics += [(name, value, metric_step(epsilon)) for name, value in found]
    metrics += _of_cost(cell.epsilons, crafted.cost)
    result = _result(cell, labels, clean, outcomes, crafted, unit)
    metrics += [(name, value, 0) for name, value in _of_attack(result)]
    return Measurement(result, tuple(metrics), starts, crafted, scenario)


def _craft(
    cell: Cell,
    scenario: Scenario,
    starts: NDArray[np.float32],
    labels: NDArray[np.int64],
    unit: float,
) -> Crafting:
    """Return what an attack makes of `starts` `(n, ...)` at each of its budgets, times `unit`.

    Its seed is a child of the cell's, so that attacks do not shift each other's randomness.
    """
    seed = child_seed(cell.seed, "attack", cell.attack.name)
    scenario.restart(child_seed(seed, "draws"))
    attack, size = cell.attack.create(), max(1, BATCH // scenario.samples)
    began = time.perf_counter()
    results = list(
        attack(
            scenario.logits,
            starts,
            labels,
            epsilons=[unit * epsilon for epsilon in cell.epsilons],
            box=scenario.box,
            seed=seed,
            batch_size=size,
            keeps_budget=cell.attack.entry.keeps_budget,
        )
    )
    seconds = time.perf_counter() - began
    # Afterwards: it draws from a random defence, and must not shift the attack's draws.
    stuck = attack.without_gradient(scenario.logits, starts, labels, batch_size=size)
    return Crafting(results, stuck, _cost(results, scenario.samples, seconds))


def _cost(results: list[AttackResult], samples: int, seconds: float) -> Cost:
    """Return what an attack took. Where logits are a mean of draws, each draw is a call."""
    return Cost(
        tuple(made.gradient_calls * samples for made in results),
        tuple(made.queries * samples for made in results),
        seconds,
    )


def _unit(cell: Cell, starts: NDArray[np.float32], images: NDArray[np.float32]) -> float:
    """Return what a budget of 1 is: the whole range of an image, or as much of an output's."""
    if not cell.relative_budget or cell.threat_model.on_images:
        return 1.0
    return float(starts.mean(dtype=np.float64) / images.mean(dtype=np.float64))


def _outcome(
    labels: NDArray[np.int64],
    clean: NDArray[np.int64],
    attacked: NDArray[np.int64],
    change: NDArray[np.float32],
) -> AttackOutcome:
    """Return what the judge sees of one budget, and how much was changed, `(n, ...)`."""
    change = np.abs(change).reshape(len(change), -1)
    return AttackOutcome(
        labels,
        clean,
        attacked,
        np.sqrt(np.einsum("ij,ij->i", change, change)),
        concentration(change),
        noise_linf=change.max(axis=1),
    )


def _of_clean(
    scenario: Scenario,
    starts: NDArray[np.float32],
    labels: NDArray[np.int64],
    votes: NDArray[np.int64],
) -> Iterator[tuple[str, float]]:
    """Yield accuracy without attack, and the scale without which a budget cannot be interpreted."""
    yield from clean_metrics(labels, majority(votes))
    yield from draw_metrics(labels, votes, "clean")
    yield "perturbed/mean", float(starts.mean(dtype=np.float64))
    yield "perturbed/max", float(starts.max())
    yield from scenario.defended.own_metrics(starts)


def _of_budget(
    cell: Cell,
    scenario: Scenario,
    found: AttackOutcome,
    made: AttackResult,
    votes: NDArray[np.int64],
) -> Iterator[tuple[str, float]]:
    yield from attack_metrics(found, target_of(cell.attack))
    yield from draw_metrics(found.labels, votes, "adv")
    yield "attack/epsilon", made.epsilon
    yield from scenario.defended.part_metrics(made.adversarial, found.labels)


def _of_cost(epsilons: tuple[float, ...], cost: Cost) -> Iterator[Metric]:
    for i, epsilon in enumerate(epsilons):
        yield "attack/gradient_calls", cost.gradient_calls[i], metric_step(epsilon)
        yield "attack/queries", cost.queries[i], metric_step(epsilon)


def _of_attack(result: CellResult) -> Iterator[tuple[str, float]]:
    """Yield what an attack says once for all budgets."""
    if result.no_gradient is not None:
        yield "attack/zero_gradients", float(result.no_gradient.sum())
    if not math.isnan(result.median_distance):
        yield "attack/median_distance", result.median_distance


def _result(
    cell: Cell,
    labels: NDArray[np.int64],
    clean: NDArray[np.int64],
    outcomes: list[AttackOutcome],
    crafted: Crafting,
    unit: float,
) -> CellResult:
    norm = cell.attack.entry.minimum_norm
    return CellResult(
        defence=cell.defence.name,
        threat_model=cell.threat_model.name,
        attack=cell.attack.name,
        epsilons=cell.epsilons,
        labels=labels,
        clean=clean,
        attacked=np.stack([found.attacked for found in outcomes]),
        noise_l2=np.stack([found.noise_l2 for found in outcomes]),
        concentration=np.stack([found.concentration for found in outcomes]),
        keeps_budget=cell.attack.entry.keeps_budget,
        unit=cell.attack.entry.budgets.unit,
        no_gradient=crafted.no_gradient,
        distances=None if norm is None else distances(norm, outcomes[-1], unit),
        cost=crafted.cost,
    )
