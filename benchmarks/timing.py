"""Time two pieces of work in turn: if the speed of the machine drifts, it drifts for both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    Attributes:
        name: what is compared with what.
        ratios: one per round.
        wanted: bound of the median ratio, as `>= 1.15` or `<= 1.05`; empty if there is none.
        seconds: median times of both sides.
    """

    name: str
    ratios: list[float]
    wanted: str
    seconds: tuple[float, float]

    @property
    def median(self) -> float:
        """The median ratio, the one to quote."""
        return statistics.median(self.ratios)

    @property
    def reached(self) -> str:
        """Whether the median keeps its bound: `yes`, `NO`, or empty if there is none."""
        if not self.wanted:
            return ""
        sign, bound = self.wanted.split()
        good = self.median >= float(bound) if sign == ">=" else self.median <= float(bound)
        return "yes" if good else "NO"


def compare(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    wanted: str,
    rounds: int = 5,
) -> Comparison:
    """Time `ours` and `theirs` in turn after a warm-up.

    The ratio is a speed-up (theirs / ours) where `wanted` begins with `>=`, and a cost (ours /
    theirs) otherwise.
    """
    return measured(name, lambda: seconds(ours), lambda: seconds(theirs), wanted, rounds)


def measured(
    name: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    wanted: str,
    rounds: int,
) -> Comparison:
    """Do as `compare` with two pieces of work that measure their own seconds."""
    ours()
    theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    speed_up = wanted.startswith(">=")
    ratios = [b / a if speed_up else a / b for a, b in pairs]
    medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
    return Comparison(name, ratios, wanted, (medians[0], medians[1]))


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of a piece of work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
