"""What can come out of a check, a reading and a claim, and how outcomes combine."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Holds(StrEnum):
    """Outcome of a check or a reading."""

    YES = "holds"
    NO = "does not hold"
    NOISE = "inside the noise"
    UNTESTED = "not tested"
    MISSING = "not measured"


class Verdict(StrEnum):
    """Outcome of a claim."""

    REPRODUCED = "reproduced"
    ONLY_UNDER = "reproduced only under"
    NOT_REPRODUCED = "not reproduced"
    NOT_TESTED = "not tested"
    NOT_CHECKABLE = "not checkable"


def all_of(found: Sequence[Holds]) -> Holds:
    """Combine check outcomes into the outcome of the reading: the worst one wins."""
    for outcome in (Holds.NO, Holds.MISSING, Holds.NOISE, Holds.UNTESTED):
        if outcome in found:
            return outcome
    return Holds.YES


def verdict(readings: Sequence[Holds]) -> Verdict:
    """Return the verdict on a claim from its readings.

    All hold: reproduced. Some hold: reproduced only under these. None holds and one is
    contradicted: not reproduced. None is contradicted, but the noise of one was not tested, so it
    may still hold: not tested. An order inside the noise did not show: not reproduced. Nothing was
    measured: not checkable.
    """
    held = readings.count(Holds.YES)
    if readings and held == len(readings):
        return Verdict.REPRODUCED
    if held:
        return Verdict.ONLY_UNDER
    if Holds.UNTESTED in readings and Holds.NO not in readings:
        return Verdict.NOT_TESTED
    measured = set(readings) - {Holds.MISSING}
    return Verdict.NOT_REPRODUCED if measured else Verdict.NOT_CHECKABLE
