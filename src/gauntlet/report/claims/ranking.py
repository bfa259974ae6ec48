"""Defences beside each other: what withstands every attack, and who withstands more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gauntlet.cells.result import CellResult
from gauntlet.evaluation.outcomes import Hits
from gauntlet.evaluation.quantities import ROBUST_ACCURACY
from gauntlet.evaluation.statistics import SIGNIFICANT, Interval, holm, paired, wilson, worst_case

Survivors = Sequence[Hits]
"""Which images `(n,)` withstand every attack, one array per seed."""


class RankedPair(NamedTuple):
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


def mean_rate(seeds: Survivors) -> Interval:
    """Return the share of images: Wilson's interval for one seed, t over seeds for several."""
    return ROBUST_ACCURACY.over_seeds([wilson(seed) for seed in seeds])


def survivors(attacks: Sequence[Sequence[CellResult]], epsilon: float) -> list[Hits]:
    """Return, per seed, which images `(n,)` withstand every attack within a Linf budget.

    Args:
        attacks: one item per attack, with one cell per seed. Where some attacked fewer images than
            others, only the first images, which all of them attacked, count.
        epsilon: the budget, as the attack writes it.
    """
    found = []
    for seed in zip(*attacks, strict=True):
        n = min(len(cell.labels) for cell in seed)
        found.append(worst_case([c.correct[c.index_of(epsilon)][:n] for c in seed]))
    return found


def least_left(left: Mapping[str, Survivors]) -> tuple[str, list[Hits]]:
    """Return the threat model that leaves the least, and what it leaves, one array per seed.

    Only the images of the first threat model count, which may have attacked fewer. Of equals, the
    first one is returned.
    """
    n = len(next(iter(left.values()))[0])
    first = {name: [seed[:n] for seed in seeds] for name, seeds in left.items()}
    found = min(first, key=lambda name: mean_rate(first[name]).value)
    return found, first[found]


def ranking(survivors: Mapping[str, Survivors]) -> list[RankedPair]:
    """Return each defence beside the next best, by mean robust accuracy.

    Args:
        survivors: defence -> which images withstand every attack.
    """
    means = {name: float(np.mean([s.mean() for s in seeds])) for name, seeds in survivors.items()}
    best_first = sorted(means, key=lambda name: -means[name])
    pairs = list(pairwise(best_first))
    p_values = holm([paired(survivors[a], survivors[b]) for a, b in pairs])
    return [
        RankedPair(a, b, means[a] - means[b], p) for (a, b), p in zip(pairs, p_values, strict=True)
    ]
