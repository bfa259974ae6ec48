"""What one certification proved, example by example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gauntlet.arrays import Array, Flags, Labels
from gauntlet.catalogue.units import Unit
from gauntlet.evaluation.statistics import Interval, wilson


@dataclass(frozen=True)
class Certified:
    """What one certification proved, example by example.

    Attributes:
        defence, certificate: names that identify it.
        unit: of its budgets; it says of which norm they are.
        epsilons: budgets of pixels in [0, 1], in that norm, ascending, `(k,)`.
        labels: true classes `(n,)`.
        proven: whether the true class is proven within each budget, `(k, n)`.
        findings: what else the certificate found; the last axis is the images.
        run_id: of its run; empty: it was not recorded.
    """

    defence: str
    certificate: str
    unit: Unit
    epsilons: tuple[float, ...]
    labels: Labels
    proven: Flags
    findings: Mapping[str, Array]
    run_id: str = ""

    @property
    def accuracies(self) -> Iterator[tuple[float, Interval]]:
        """Each budget, and the share of images that is proven within it."""
        return zip(self.epsilons, map(wilson, self.proven), strict=True)
