"""From results to verdicts: every claim, every reading, every check."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.evaluation.statistics import (
    Interval,
    holm,
    over_seeds,
    paired,
    wilson,
    worst_case,
)
from gauntlet.report.cell_result import CellResult
from gauntlet.report.claims.measures import Measure
from gauntlet.report.claims.orders import SIGNIFICANT, ordered
from gauntlet.report.claims.results import Estimate, Results, budget_index
from gauntlet.report.claims.schema import (
    Check,
    Claim,
    Expect,
    Holds,
    Reading,
    Verdict,
    all_of,
    verdict,
)


class CheckOutcome(NamedTuple):
    """What a check came to; the estimates are in the order of its measures, None: not measured."""

    measures: Sequence[Measure]
    estimates: Sequence[Estimate | None]
    expect: Expect
    holds: Holds


class ReadingOutcome(NamedTuple):
    """What a reading came to."""

    name: str
    checks: Sequence[CheckOutcome]

    @property
    def holds(self) -> Holds:
        """Whether all its checks hold."""
        return all_of([check.holds for check in self.checks])


class ClaimOutcome(NamedTuple):
    """What a claim came to."""

    claim: Claim
    readings: Sequence[ReadingOutcome]

    @property
    def verdict(self) -> Verdict:
        """The verdict, from the readings alone."""
        return verdict([reading.holds for reading in self.readings])

    @property
    def sentence(self) -> str:
        """The verdict, with the readings under which it holds or the reason why there is none."""
        if self.verdict == Verdict.ONLY_UNDER:
            held = [reading.name for reading in self.readings if reading.holds == Holds.YES]
            return f"{self.verdict} {'; '.join(held)}"
        if self.verdict == Verdict.NOT_CHECKABLE:
            return f"{self.verdict}: {self.claim.not_checkable or Holds.MISSING}"
        if self.verdict == Verdict.NOT_TESTED:
            return f"{self.verdict}: no noise of these numbers is known"
        if self.verdict == Verdict.NOT_REPRODUCED:
            return f"{self.verdict}{self._undecided}"
        return self.verdict.value

    @property
    def _undecided(self) -> str:
        """What of a claim that was not reproduced was not contradicted either."""
        if Holds.NO not in {reading.holds for reading in self.readings}:
            return f": {Holds.NOISE}"
        open_ = [reading.name for reading in self.readings if reading.holds == Holds.UNTESTED]
        return f", not tested under {'; '.join(open_)}" if open_ else ""

    @property
    def measured(self) -> str:
        """The numbers of the first reading that holds, else of the first; of many, their range."""
        best_first = sorted(self.readings, key=lambda reading: reading.holds != Holds.YES)
        found = [
            e
            for reading in best_first[:1]
            for check in reading.checks
            for e in check.estimates
            if e is not None
        ]
        texts = [str(e) for e in found]
        for few in (texts, list(dict.fromkeys(texts))):
            if len(few) <= _FEW:
                return ", ".join(few)
        values = [e.value for e in found if isinstance(e.value, float) and math.isfinite(e.value)]
        if not values:
            return ", ".join(few)
        return f"{min(values):.4g} to {max(values):.4g} ({len(values)} numbers)"


_FEW = 4
"""More numbers than these do not fit a row of the table of verdicts."""


def judge(claims: Sequence[Claim], results: Results) -> list[ClaimOutcome]:
    """Return the outcome of every claim."""
    return [
        ClaimOutcome(claim, [_read(reading, results) for reading in claim.readings])
        for claim in claims
    ]


def _read(reading: Reading, results: Results) -> ReadingOutcome:
    return ReadingOutcome(reading.name, [_check(check, results) for check in reading.checks])


def _check(check: Check, results: Results) -> CheckOutcome:
    measures = check.each
    estimates = [results.estimate(measure) for measure in measures]
    return CheckOutcome(
        measures, estimates, check.expect, _holds(check.expect, measures, estimates, results)
    )


def _holds(
    expect: Expect,
    measures: Sequence[Measure],
    estimates: Sequence[Estimate | None],
    results: Results,
) -> Holds:
    known = [estimate.value for estimate in estimates if estimate is not None]
    if len(known) < len(measures) or any(isinstance(v, float) and math.isnan(v) for v in known):
        return Holds.MISSING
    if expect.order is not None:
        return ordered(measures, expect.order, results)
    return Holds.YES if all(_meets(value, expect) for value in known) else Holds.NO


def _meets(value: float | str, expect: Expect) -> bool:
    if isinstance(value, str) or expect.equals is not None:
        return str(value) == expect.equals
    if expect.near is not None and expect.within is not None:
        return abs(value - expect.near) <= expect.within + 1e-12
    low, high = expect.between or (
        -math.inf if expect.at_least is None else expect.at_least,
        math.inf if expect.at_most is None else expect.at_most,
    )
    return low <= value <= high


def counts(outcomes: Sequence[ClaimOutcome]) -> dict[Verdict, int]:
    """Return how often each verdict was reached, all of them named."""
    found = [outcome.verdict for outcome in outcomes]
    return {each: found.count(each) for each in Verdict}


class Comparison(NamedTuple):
    """Two defences on the same images, and whether their difference is more than noise."""

    better: str
    worse: str
    difference: float
    p_value: float

    def __str__(self) -> str:
        beyond = self.p_value < SIGNIFICANT
        relation = "withstands more than" if beyond else "cannot be told from"
        return (
            f"{self.better} {relation} {self.worse}: {self.difference:+.4f}, "
            f"p = {self.p_value:.2g} after Holm"
        )


def mean_rate(seeds: Sequence[NDArray[np.bool_]]) -> Interval:
    """Return a share of images: one seed has Wilson's interval, several have t over seeds."""
    each = [wilson(seed) for seed in seeds]
    return each[0] if len(each) == 1 else over_seeds([one.value for one in each])


def survivors(attacks: Sequence[Sequence[CellResult]], epsilon: float) -> list[NDArray[np.bool_]]:
    """Return, per seed, which images `(n,)` withstand every attack within a Linf budget.

    `attacks` has an item per attack, with a cell per seed; where some attacked fewer images than
    others, the first that all of them attacked.
    """
    found = []
    for seed in zip(*attacks, strict=True):
        n = min(len(cell.labels) for cell in seed)
        found.append(worst_case([c.correct[budget_index(c, epsilon)][:n] for c in seed]))
    return found


def least(left: Mapping[str, Sequence[NDArray[np.bool_]]]) -> tuple[str, list[Any]]:
    """Return the threat model that leaves the least, and what it leaves, one array per seed.

    All on the images of the first one, which may have attacked fewer. Of equals, the first one.
    """
    n = len(next(iter(left.values()))[0])
    first = {name: [seed[:n] for seed in seeds] for name, seeds in left.items()}
    found = min(first, key=lambda name: mean_rate(first[name]).value)
    return found, first[found]


def ranking(survivors: dict[str, list[Any]]) -> list[Comparison]:
    """Return each defence beside the next best, by mean robust accuracy.

    Args:
        survivors: defence -> which images `(n,)` withstand every attack, one array per seed.
    """
    means = {name: float(np.mean([s.mean() for s in seeds])) for name, seeds in survivors.items()}
    best_first = sorted(means, key=lambda name: -means[name])
    pairs = list(pairwise(best_first))
    p_values = holm([paired(survivors[a], survivors[b]) for a, b in pairs])
    return [
        Comparison(a, b, means[a] - means[b], p) for (a, b), p in zip(pairs, p_values, strict=True)
    ]
