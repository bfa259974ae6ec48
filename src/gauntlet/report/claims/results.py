"""All that a reproduction measured, and the numbers that claims ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gauntlet.evaluation.statistics import Interval, over_seeds, wilson
from gauntlet.report.cell_result import CellResult
from gauntlet.report.claims.measures import CellMeasure, DataMeasure, Measure, TrainingMeasure


class Key(NamedTuple):
    """Where a cell stands: network and part of the plan, attack, defence, threat model."""

    network: str
    part: str
    attack: str
    defence: str
    threat_model: str


class TrainedKey(NamedTuple):
    """Where a training stands: network, and which of its models; a classifier's part too."""

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
    """Measurements, one a seed in each sequence.

    Attributes:
        cells: of every attack.
        trainings: of every network.
        data: numbers of the data set alone.
        failed: what could not be computed -> why.
        diverged: networks whose training diverged -> when; their losses are infinite.
        minutes: what the runs of each network took; a shared one counts once.
    """

    cells: Mapping[Key, Sequence[CellResult]]
    trainings: Mapping[TrainedKey, Sequence[Training]]
    data: Mapping[str, float]
    failed: Mapping[str, str] = field(default_factory=dict)
    diverged: Mapping[str, str] = field(default_factory=dict)
    minutes: Mapping[str, Spent] = field(default_factory=dict)

    def estimate(self, measure: Measure) -> Estimate | None:
        """Return what one measure (no combinations left) comes to; None: it was not measured."""
        if isinstance(measure, DataMeasure):
            value = self.data.get(measure.data)
            return None if value is None else Estimate(value, math.nan, math.nan, ())
        if isinstance(measure, TrainingMeasure):
            if self._is_lost(measure):
                return Estimate(math.inf, math.nan, math.nan, ())
            return _of_trainings(self.trainings.get(_trained_key(measure), ()), measure)
        return _of_cells(self.cells_of(measure), measure)

    def each_seed(self, measure: Measure) -> list[float]:
        """Return a measure's number of every seed; empty: it is none that seeds move.

        Where every training diverged it is infinite. Where only some did, which ones is a matter of
        the seed, and no number is known of each.
        """
        if isinstance(measure, CellMeasure):
            return [_quantity(cell, measure).value for cell in self.cells_of(measure)]
        if isinstance(measure, DataMeasure) or measure.config is not None:
            return []
        trainings = self.trainings.get(_trained_key(measure), ())
        if self._is_lost(measure):
            return [] if trainings else [math.inf]
        return _logged(trainings, measure) or []

    def _is_lost(self, measure: TrainingMeasure) -> bool:
        """Tell whether a measure is a loss of a network that diverged: it is infinite."""
        return measure.network[0] in self.diverged and "loss" in (measure.metric or "")

    def cells_of(self, measure: CellMeasure) -> Sequence[CellResult]:
        """Return the cells of one measure, one a seed; empty: not measured."""
        names = (
            measure.network,
            measure.part,
            measure.attack,
            measure.defence,
            measure.threat_model,
        )
        return self.cells.get(Key(*(one for (one,) in names)), ())


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
    """Return a metric of each training; None: not all of them have it at that epoch."""
    curves = [training.metrics.get(measure.metric or "", {}) for training in trainings]
    if not all(curve and (measure.epoch is None or measure.epoch in curve) for curve in curves):
        return None
    return [curve[max(curve) if measure.epoch is None else measure.epoch] for curve in curves]


def _of_cells(cells: Sequence[CellResult], measure: CellMeasure) -> Estimate | None:
    if not cells:
        return None
    ids = tuple(cell.run_id for cell in cells)
    each = [_quantity(cell, measure) for cell in cells]
    known = [one for one in each if not math.isnan(one.value)]
    if not known:
        return Estimate(math.nan, math.nan, math.nan, ids)
    if len(known) == 1:
        return Estimate(*known[0], ids)
    values = [one.value for one in known]
    if measure.quantity in SHARES:
        return Estimate(*over_seeds(values), ids)
    return Estimate(float(np.mean(values)), math.nan, math.nan, ids)


def budget_index(cell: CellResult, epsilon: float | None) -> int:
    """Return the index of a budget, as the attack writes it; None: the largest.

    Raises:
        KeyError: the cell was not attacked at that budget.
    """
    if epsilon is None:
        return len(cell.epsilons) - 1
    unit = 1.0 if cell.bounded else 255.0
    for index, known in enumerate(cell.epsilons):
        if abs(known * unit - epsilon) < 1e-9:
            return index
    raise KeyError(f"{cell.attack}: no epsilon {epsilon:g} among {cell.epsilons}")


def _quantity(cell: CellResult, measure: CellMeasure) -> Interval:
    at = budget_index(cell, measure.epsilon)
    if measure.of_class is not None:
        return _only(_target(cell, at, measure.of_class, measure.quantity))
    return QUANTITIES[measure.quantity](cell, at)


def _drop(cell: CellResult, at: int) -> Interval:
    return _only(float((cell.clean == cell.labels).mean() - cell.correct[at].mean()))


def _noise_level(cell: CellResult, at: int) -> Interval:
    flipped = cell.flipped[at]
    return _only(float(cell.noise_l2[at][flipped].mean()) if flipped.any() else math.nan)


QUANTITIES: Mapping[str, Callable[[CellResult, int], Interval]] = {
    "clean_accuracy": lambda cell, _: wilson(cell.clean == cell.labels),
    "robust_accuracy": lambda cell, at: wilson(cell.correct[at]),
    "success_rate": lambda cell, at: wilson(cell.flipped[at]),
    "unchanged": lambda cell, at: wilson(cell.attacked[at] == cell.clean),
    "drop": _drop,
    "noise_level": _noise_level,
    "concentration": lambda cell, at: _only(float(cell.concentration[at].mean())),
}
"""Accuracy without attack; with it; right before and wrong after / all attacked; predictions that
stay; accuracy lost; mean L2 norm over successes (second paper, eq. 9); mean share of the change's
energy that its 5 % largest pixels carry."""

SHARES = ("clean_accuracy", "robust_accuracy", "success_rate", "unchanged")


def _only(value: float) -> Interval:
    return Interval(value, math.nan, math.nan)


def _target(cell: CellResult, at: int, of_class: int, quantity: str) -> float:
    """Return the class that images of one class end in most often, or least often."""
    fooled = cell.attacked[at][cell.labels == of_class]
    counts = np.bincount(fooled[fooled >= 0], minlength=int(cell.labels.max()) + 1)
    others = np.delete(np.arange(len(counts)), of_class)
    pick = np.argmax if quantity == "natural_target" else np.argmin
    return float(others[pick(counts[others])])
