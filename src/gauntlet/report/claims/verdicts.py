"""From results to verdicts: every claim, every reading, every check."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from gauntlet.report.claims.measures import Measure
from gauntlet.report.claims.orders import ordered
from gauntlet.report.claims.outcomes import Holds, Verdict, all_of, verdict
from gauntlet.report.claims.results import Estimate, Results
from gauntlet.report.claims.schema import Check, Claim, Expect, Reading


class CheckOutcome(NamedTuple):
    """A judged check; estimates are in the order of its measures, None where not measured."""

    measures: Sequence[Measure]
    estimates: Sequence[Estimate | None]
    expect: Expect
    holds: Holds


class ReadingOutcome(NamedTuple):
    """A judged reading."""

    name: str
    checks: Sequence[CheckOutcome]

    @property
    def holds(self) -> Holds:
        """Whether all its checks hold."""
        return all_of([check.holds for check in self.checks])


class ClaimOutcome(NamedTuple):
    """A judged claim."""

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
        """Why a claim that was not reproduced may still be true; empty if it was contradicted."""
        if Holds.NO not in {reading.holds for reading in self.readings}:
            return f": {Holds.NOISE}"
        open_ = [reading.name for reading in self.readings if reading.holds == Holds.UNTESTED]
        return f", not tested under {'; '.join(open_)}" if open_ else ""

    @property
    def shown(self) -> list[Estimate]:
        """The estimates of the first reading that holds, or of the first one."""
        best_first = sorted(self.readings, key=lambda reading: reading.holds != Holds.YES)
        return [
            estimate
            for reading in best_first[:1]
            for check in reading.checks
            for estimate in check.estimates
            if estimate is not None
        ]

    @property
    def measured(self) -> str:
        """The shown estimates as text; many of them as their range."""
        texts = [str(e) for e in self.shown]
        for few in (texts, list(dict.fromkeys(texts))):
            if len(few) <= _FEW:
                return ", ".join(few)
        numbers = [e.value for e in self.shown if isinstance(e.value, float)]
        values = [value for value in numbers if math.isfinite(value)]
        if not values:
            return ", ".join(few)
        return f"{min(values):.4g} to {max(values):.4g} ({len(values)} numbers)"


_FEW = 4
"""At most so many numbers fit a row of the table of verdicts."""


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
    """Return how many claims have each verdict, 0 included."""
    found = [outcome.verdict for outcome in outcomes]
    return {each: found.count(each) for each in Verdict}
