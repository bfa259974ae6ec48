"""Defences beside each other: what withstands every attack, and who withstands more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gauntlet.arrays import Flags
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.quantities import ROBUST_ACCURACY
from gauntlet.evaluation.statistics import (
    SIGNIFICANT,
    Interval,
    holm,
    paired,
    shared_seeds,
    wilson,
    worst_case,
)

Survivors = Mapping[int, Flags]
"""Seed -> which images `(n,)` withstand every attack."""


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
    return ROBUST_ACCURACY.over_seeds([wilson(seed) for seed in seeds.values()])


def survivors(attacks: Sequence[Mapping[int, CellResult]], epsilon: float) -> dict[int, Flags]:
    """Return which images `(n,)` withstand every attack within a Linf budget.

    Args:
        attacks: seed -> cell, for each attack. Only the seeds that all of them have count. Where
            some attacked fewer images than others, only the first images, which all of them
            attacked, count.
        epsilon: the budget, as the attack writes it.
    """
    found = {}
    for seed in shared_seeds(*attacks):
        cells = [cells[seed] for cells in attacks]
        n = min(len(cell.labels) for cell in cells)
        found[seed] = worst_case([c.correct[c.index_of(epsilon)][:n] for c in cells])
    return found


def n_images(survivors: Survivors) -> int:
    """Return how many images were attacked, the same number for every seed."""
    return len(next(iter(survivors.values())))


def least_left(left: Mapping[str, Survivors]) -> tuple[str, dict[int, Flags]]:
    """Return the threat model that leaves the least, and what it leaves.

    Only the images of the first threat model count, which may have attacked fewer. Of equals, the
    first one is returned.
    """
    n = n_images(next(iter(left.values())))
    first = {name: {s: hits[:n] for s, hits in seeds.items()} for name, seeds in left.items()}
    found = min(first, key=lambda name: mean_rate(first[name]).value)
    return found, first[found]


def ranking(survivors: Mapping[str, Survivors]) -> list[RankedPair]:
    """Return each defence beside the next best, by mean robust accuracy.

    Only the seeds that all have count: no order rests on different ones. Empty: they share none.

    Args:
        survivors: defence -> which images withstand every attack.
    """
    seeds = shared_seeds(*survivors.values())
    if not seeds:
        return []
    shared = {name: {seed: left[seed] for seed in seeds} for name, left in survivors.items()}
    means = {n: float(np.mean([h.mean() for h in left.values()])) for n, left in shared.items()}
    best_first = sorted(means, key=lambda name: -means[name])
    pairs = list(pairwise(best_first))
    p_values = holm([paired(shared[a], shared[b]) for a, b in pairs])
    return [
        RankedPair(a, b, means[a] - means[b], p) for (a, b), p in zip(pairs, p_values, strict=True)
    ]
