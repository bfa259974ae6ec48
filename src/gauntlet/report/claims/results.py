"""Everything that a reproduction measured, and the numbers that claims ask for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from gauntlet.cells.result import CellResult
from gauntlet.evaluation.outcomes import Outcome
from gauntlet.evaluation.quantities import OF_DATA, OF_IMAGES, OF_TRAININGS, PARAMETER, target
from gauntlet.evaluation.quantity import Computed, Quantity, Sample, Share
from gauntlet.evaluation.statistics import Interval
from gauntlet.report.claims.measures import CellMeasure, DataMeasure, Measure, TrainingMeasure


class Key(NamedTuple):
    """Identifies a cell: network and part of the plan, attack, defence, threat model."""

    network: str
    part: str
    attack: str
    defence: str
    threat_model: str

    @classmethod
    def of(cls, measure: CellMeasure) -> Key:
        """Return where a measure (no combinations left) is measured."""
        names = (
            measure.network,
            measure.part,
            measure.attack,
            measure.defence,
            measure.threat_model,
        )
        return cls(*(one for (one,) in names))


class TrainedKey(NamedTuple):
    """Identifies a training: network, which of its models, and the part of a classifier."""

    network: str
    model: str
    part: str = ""


@dataclass(frozen=True)
class TrainedRun:
    """A finished training run.

    Attributes:
        run_id: of the run.
        examination: id of the run that measured and drew it on test images.
        config: parameter -> value, as the command line writes it.
        metrics: name -> step -> value, of both runs.
    """

    run_id: str
    examination: str
    config: Mapping[str, str]
    metrics: Mapping[str, Mapping[int, float]]


class Spent(NamedTuple):
    """Minutes that runs took."""

    trainings: float
    attacks: float


class Estimate(NamedTuple):
    """A measured number: its mean over seeds, an interval if there is one, and its runs."""

    value: float | str
    low: float
    high: float
    run_ids: tuple[str, ...]

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return self.value
        if math.isnan(self.value):
            return "undefined"
        if math.isinf(self.value):
            return "diverged"
        if math.isnan(self.low) or self.low == self.high:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Results:
    """Measurements of every seed that neither failed nor diverged.

    Attributes:
        cells: of every attack, by seed.
        trainings: of every network, by seed.
        data: numbers of the data set alone.
        failed: what could not be computed -> why.
        diverged: network -> seed -> when its training diverged; its losses are infinite.
        minutes: duration of each network's runs; a shared run counts once.
    """

    cells: Mapping[Key, Mapping[int, CellResult]]
    trainings: Mapping[TrainedKey, Mapping[int, TrainedRun]]
    data: Mapping[str, float]
    failed: Mapping[str, str] = field(default_factory=dict)
    diverged: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    minutes: Mapping[str, Spent] = field(default_factory=dict)

    def estimate(self, measure: Measure) -> Estimate | None:
        """Return the estimate of a measure (no combinations left); None: it was not measured."""
        if isinstance(measure, DataMeasure):
            value = self.data.get(measure.data)
            return None if value is None else Estimate(value, math.nan, math.nan, ())
        if isinstance(measure, TrainingMeasure):
            if self._is_lost(measure):
                return Estimate(math.inf, math.nan, math.nan, ())
            return _of_trainings(self.trainings.get(_trained_key(measure), {}), measure)
        cells = self.cells_of(measure).values()
        if not cells:
            return None
        ids = tuple(cell.run_id for cell in cells)
        return Estimate(*measured(cells, of_cells(measure), measure.epsilon), ids)

    def curves(self, network: str) -> Mapping[str, Mapping[int, float]]:
        """Return the autoencoder's metrics of a network's first seed: name -> epoch -> value."""
        trainings = self.trainings.get(TrainedKey(network, "autoencoder"))
        return first(trainings).metrics if trainings else {}

    def sample(self, measure: Measure) -> Sample:
        """Return a measure's numbers for the noise test."""
        if isinstance(measure, CellMeasure):
            return _sample(self.cells_of(measure), measure)
        if isinstance(measure, TrainingMeasure) and measure.metric is not None:
            return Sample(OF_TRAININGS, self._each_seed(measure))
        return Sample(quantity_of(measure), {})

    def _each_seed(self, measure: TrainingMeasure) -> Mapping[int, float]:
        """Return seed -> metric; empty: nothing to test.

        Where every training diverged, a loss is infinite. Where only some did, the order of its
        mean is not tested.
        """
        trainings = self.trainings.get(_trained_key(measure), {})
        if self._is_lost(measure):
            diverged = self.diverged[measure.network[0]]
            return {} if trainings else dict.fromkeys(diverged, math.inf)
        return _logged(trainings, measure) or {}

    def _is_lost(self, measure: TrainingMeasure) -> bool:
        """Tell whether a measure is a loss of a diverged network, which counts as infinite."""
        return measure.network[0] in self.diverged and "loss" in (measure.metric or "")

    def cells_of(self, measure: CellMeasure) -> Mapping[int, CellResult]:
        """Return the cells of a measure, by seed; empty: not measured."""
        return self.cells.get(Key.of(measure), {})


T = TypeVar("T")


def first(by_seed: Mapping[int, T]) -> T:
    """Return what the first of the seeds measured, for tables and figures that show one."""
    return next(iter(by_seed.values()))


def _trained_key(measure: TrainingMeasure) -> TrainedKey:
    return TrainedKey(measure.network[0], measure.model, measure.part)


def _of_trainings(trainings: Mapping[int, TrainedRun], measure: TrainingMeasure) -> Estimate | None:
    if not trainings:
        return None
    ids = tuple(training.run_id for training in trainings.values())
    if measure.config is not None:
        values = {_parameter(training.config, measure) for training in trainings.values()}
        return Estimate(", ".join(sorted(values)), math.nan, math.nan, ids)
    found = _logged(trainings, measure)
    if found is None:
        return None
    return Estimate(float(np.mean([*found.values()])), math.nan, math.nan, ids)


def _parameter(config: Mapping[str, str], measure: TrainingMeasure) -> str:
    value = config[measure.config or ""]
    return f"{float(value) - float(config[measure.minus]):g}" if measure.minus else value


def _logged(
    trainings: Mapping[int, TrainedRun], measure: TrainingMeasure
) -> dict[int, float] | None:
    """Return seed -> metric; None: some trainings do not have it at that epoch."""
    found = {}
    for seed, training in trainings.items():
        curve = training.metrics.get(measure.metric or "", {})
        epoch = max(curve, default=0) if measure.epoch is None else measure.epoch
        if epoch not in curve:
            return None
        found[seed] = curve[epoch]
    return found


def measured(
    cells: Iterable[CellResult], quantity: Share | Computed, epsilon: float | None = None
) -> Interval:
    """Return a quantity of the cells of all seeds: its mean, and an interval if there is one.

    Args:
        cells: one per seed.
        quantity: what to measure.
        epsilon: budget, as the attack writes it; None: the largest.
    """
    return quantity.over_seeds([quantity.measure(_at(cell, epsilon)) for cell in cells])


def quantity_of(measure: Measure) -> Quantity:
    """Return what a measure measures."""
    if isinstance(measure, CellMeasure):
        return of_cells(measure)
    if isinstance(measure, DataMeasure):
        return OF_DATA
    return OF_TRAININGS if measure.config is None else PARAMETER


def of_cells(measure: CellMeasure) -> Share | Computed:
    """Return the quantity of attacked cells that a measure names."""
    if measure.of_class is not None:
        return target(measure.quantity, measure.of_class)
    return OF_IMAGES[measure.quantity]


def _sample(cells: Mapping[int, CellResult], measure: CellMeasure) -> Sample:
    quantity = of_cells(measure)
    outcomes = {seed: _at(cell, measure.epsilon) for seed, cell in cells.items()}
    values = {seed: quantity.measure(outcome).value for seed, outcome in outcomes.items()}
    if isinstance(quantity, Share):
        hits = {seed: quantity.hits(outcome) for seed, outcome in outcomes.items()}
        return Sample(quantity, values, hits)
    return Sample(quantity, values)


def _at(cell: CellResult, epsilon: float | None) -> Outcome:
    return cell.at(cell.index_of(epsilon))
