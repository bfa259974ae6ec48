"""Orders of measures: does each differ from the next by more than noise, and was that tested?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from gauntlet.evaluation.statistics import holm, over_pairs, paired
from gauntlet.report.claims.measures import CellMeasure, Measure
from gauntlet.report.claims.results import Results, budget_index
from gauntlet.report.claims.schema import Holds

SIGNIFICANT = 0.05
"""Below it, after Holm's correction for the pairs of one order, a difference is not noise."""


class _Step(NamedTuple):
    """From one measure to the next.

    Attributes:
        difference: by how much, on average over the seeds that both have; 0 without any.
        p: of no difference; None: nothing was tested.
    """

    difference: float
    p: float | None

    @property
    def is_certain(self) -> bool:
        """Whether there is no noise to test: a training that diverged has an infinite loss.

        No noise of finite losses reaches it. Where both diverged, neither is above the other (NaN).
        """
        return not math.isfinite(self.difference)


def ordered(measures: Sequence[Measure], order: str, results: Results) -> Holds:
    """Compare each measure with the next; noise and what was not tested decide nothing.

    One step beyond noise against the order: it does not hold. Else one inside the noise: it did not
    show. Else one that was not tested: it may hold.
    """
    steps = [_step(one, other, results) for one, other in pairwise(measures)]
    beyond = _beyond_noise(steps)
    sign = 1 if order == "ascending" else -1
    right = [sign * step.difference > 0 for step in steps]
    if any(real and not so for so, real in zip(right, beyond, strict=True)):
        return Holds.NO
    if False in beyond:
        return Holds.NOISE
    return Holds.UNTESTED if None in beyond else Holds.YES


def _beyond_noise(steps: Sequence[_Step]) -> list[bool | None]:
    """Tell of each step whether noise cannot explain it; None: not tested, nor corrected for."""
    corrected = iter(holm([step.p for step in steps if step.p is not None]))
    tested = [None if step.p is None else next(corrected) < SIGNIFICANT for step in steps]
    return [step.is_certain or real for step, real in zip(steps, tested, strict=True)]


def _step(one: Measure, other: Measure, results: Results) -> _Step:
    # MagNet has one seed where FUNN may have several; a seed without success has no noise level.
    seeds = zip(results.each_seed(one), results.each_seed(other), strict=False)
    differences = [b - a for a, b in seeds if not math.isnan(a) and not math.isnan(b)]
    difference = float(np.mean(differences)) if differences else 0.0
    return _Step(difference, _p_value(one, other, results))


def _p_value(one: Measure, other: Measure, results: Results) -> float | None:
    """Test shares over images or seeds, any other number over seeds; None: there are too few."""
    hits = [_hits(measure, results) for measure in (one, other)]
    if hits[0] and hits[1]:
        return paired(hits[0], hits[1])
    return over_pairs(results.each_seed(one), results.each_seed(other))


def _hits(measure: Measure, results: Results) -> list[Any]:
    """Return which images count for a share, `(n,)` per seed; empty: it is no share of images."""
    if not isinstance(measure, CellMeasure) or measure.quantity not in _HITS:
        return []
    return [
        _HITS[measure.quantity](cell, budget_index(cell, measure.epsilon))
        for cell in results.cells_of(measure)
    ]


_HITS: dict[str, Any] = {
    "clean_accuracy": lambda cell, _: cell.clean == cell.labels,
    "robust_accuracy": lambda cell, at: cell.correct[at],
    "success_rate": lambda cell, at: cell.flipped[at],
    "unchanged": lambda cell, at: cell.attacked[at] == cell.clean,
}
