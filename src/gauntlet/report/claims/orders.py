"""Orders of measures: does each differ from the next by more than noise, and was that tested?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gauntlet.evaluation.quantity import p_value
from gauntlet.evaluation.statistics import SIGNIFICANT, holm, shared_seeds
from gauntlet.report.claims.measures import Measure
from gauntlet.report.claims.outcomes import Holds
from gauntlet.report.claims.results import Results


class _Step(NamedTuple):
    """From one measure to the next.

    Attributes:
        difference: mean difference over the seeds that both have; 0 if they share none.
        p: p-value of no difference; None: it could not be tested.
    """

    difference: float
    p: float | None

    @property
    def is_certain(self) -> bool:
        """Whether the difference needs no test: the infinite loss of a diverged training.

        No noise of finite losses can reach it. If both diverged, the difference is NaN and neither
        is above the other.
        """
        return not math.isfinite(self.difference)


def ordered(measures: Sequence[Measure], order: str, results: Results) -> Holds:
    """Compare each measure with the next; steps inside the noise or not tested decide nothing.

    A step beyond noise against the order: the order does not hold. Otherwise a step inside the
    noise: the order did not show. Otherwise a step that was not tested: the order may hold.
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
    """Tell for each step whether it exceeds noise; None: not tested, so not corrected for."""
    corrected = iter(holm([step.p for step in steps if step.p is not None]))
    tested = [None if step.p is None else next(corrected) < SIGNIFICANT for step in steps]
    return [step.is_certain or real for step, real in zip(steps, tested, strict=True)]


def _step(one: Measure, other: Measure, results: Results) -> _Step:
    before, after = results.sample(one), results.sample(other)
    # MagNet has one seed where FUNN may have several; a seed without success has no noise level.
    pairs = [(before.values[s], after.values[s]) for s in shared_seeds(before.values, after.values)]
    differences = [b - a for a, b in pairs if not math.isnan(a) and not math.isnan(b)]
    difference = float(np.mean(differences)) if differences else 0.0
    return _Step(difference, p_value(before, after))
