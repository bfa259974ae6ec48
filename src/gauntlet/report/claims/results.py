"""Everything that a reproduction measured, and the numbers that claims ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

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
class Training:
    """A finished training run.

    Attributes:
        run_id: of the run.
        config: parameter -> value, as the command line writes it.
        metrics: name -> step -> value.
    """

    run_id: str
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
    """Measurements; each sequence has one item per seed.

    Attributes:
        cells: of every attack.
        trainings: of every network.
        data: numbers of the data set alone.
        failed: what could not be computed -> why.
        diverged: networks whose training diverged -> when; their losses are infinite.
        minutes: duration of each network's runs; a shared run counts once.
    """

    cells: Mapping[Key, Sequence[CellResult]]
    trainings: Mapping[TrainedKey, Sequence[Training]]
    data: Mapping[str, float]
    failed: Mapping[str, str] = field(default_factory=dict)
    diverged: Mapping[str, str] = field(default_factory=dict)
    minutes: Mapping[str, Spent] = field(default_factory=dict)

    def estimate(self, measure: Measure) -> Estimate | None:
        """Return the estimate of a measure (no combinations left); None: it was not measured."""
        if isinstance(measure, DataMeasure):
            value = self.data.get(measure.data)
            return None if value is None else Estimate(value, math.nan, math.nan, ())
        if isinstance(measure, TrainingMeasure):
            if self._is_lost(measure):
                return Estimate(math.inf, math.nan, math.nan, ())
            return _of_trainings(self.trainings.get(_trained_key(measure), ()), measure)
        cells = self.cells_of(measure)
        if not cells:
            return None
        ids = tuple(cell.run_id for cell in cells)
        return Estimate(*measured(cells, of_cells(measure), measure.epsilon), ids)

    def curves(self, network: str) -> Mapping[str, Mapping[int, float]]:
        """Return the autoencoder's metrics of a network's first seed: name -> epoch -> value."""
        trainings = self.trainings.get(TrainedKey(network, "autoencoder"))
        return trainings[0].metrics if trainings else {}

    def sample(self, measure: Measure) -> Sample:
        """Return a measure's numbers for the noise test, one per seed."""
        if isinstance(measure, CellMeasure):
            return _sample(self.cells_of(measure), measure)
        if isinstance(measure, TrainingMeasure) and measure.metric is not None:
            return Sample(OF_TRAININGS, self._each_seed(measure))
        return Sample(quantity_of(measure), ())

    def _each_seed(self, measure: TrainingMeasure) -> Sequence[float]:
        """Return a metric of every seed; empty: not known for each.

        Where every training diverged, a loss is infinite. Where only some did, it is not known
        which seeds these were.
        """
        trainings = self.trainings.get(_trained_key(measure), ())
        if self._is_lost(measure):
            return () if trainings else (math.inf,)
        return _logged(trainings, measure) or ()

    def _is_lost(self, measure: TrainingMeasure) -> bool:
        """Tell whether a measure is a loss of a diverged network, which counts as infinite."""
        return measure.network[0] in self.diverged and "loss" in (measure.metric or "")

    def cells_of(self, measure: CellMeasure) -> Sequence[CellResult]:
        """Return the cells of a measure, one per seed; empty: not measured."""
        return self.cells.get(Key.of(measure), ())


def _trained_key(measure: TrainingMeasure) -> TrainedKey:
    return TrainedKey(measure.network[0], measure.model, measure.part)


def _of_trainings(trainings: Sequence[Training], measure: TrainingMeasure) -> Estimate | None:
    if not trainings:
        return None
    ids = tuple(training.run_id for training in trainings)
    if measure.config is not None:
        values = {_parameter(training.config, measure) for training in trainings}
        return Estimate(", ".join(sorted(values)), math.nan, math.nan, ids)
    found = _logged(trainings, measure)
    return None if found is None else Estimate(float(np.mean(found)), math.nan, math.nan, ids)


def _parameter(config: Mapping[str, str], measure: TrainingMeasure) -> str:
    value = config[measure.config or ""]
    return f"{float(value) - float(config[measure.minus]):g}" if measure.minus else value


def _logged(trainings: Sequence[Training], measure: TrainingMeasure) -> list[float] | None:
    """Return a metric of each training; None: some do not have it at that epoch."""
    curves = [training.metrics.get(measure.metric or "", {}) for training in trainings]
    if not all(curve and (measure.epoch is None or measure.epoch in curve) for curve in curves):
        return None
    return [curve[max(curve) if measure.epoch is None else measure.epoch] for curve in curves]


def measured(
    cells: Sequence[CellResult], quantity: Share | Computed, epsilon: float | None = None
) -> Interval:
    """Return a quantity of the cells of all seeds: its mean, and an interval if there is one.

    Args:
        cells: one per seed.
        quantity: what to measure.
        epsilon: budget, as the attack writes it; None: the largest.
    """
    return quantity.over_seeds([quantity.measure(one) for one in _at(cells, epsilon)])


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


def _sample(cells: Sequence[CellResult], measure: CellMeasure) -> Sample:
    quantity, outcomes = of_cells(measure), _at(cells, measure.epsilon)
    values = [quantity.measure(outcome).value for outcome in outcomes]
    if isinstance(quantity, Share):
        return Sample(quantity, values, [quantity.hits(outcome) for outcome in outcomes])
    return Sample(quantity, values)


def _at(cells: Sequence[CellResult], epsilon: float | None) -> list[Outcome]:
    return [cell.at(cell.index_of(epsilon)) for cell in cells]
