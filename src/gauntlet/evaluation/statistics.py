"""Intervals, tests and worst cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest, fisher_exact, t, ttest_rel

from gauntlet.arrays import Flags

SIGNIFICANT = 0.05
"""A p-value below it, corrected for the number of tests, means more than noise."""


class Interval(NamedTuple):
    """A share and its 95 % interval, all in [0, 1]; of a difference of shares in [-1, 1]."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def wilson(hits: Flags) -> Interval:
    """Return the share of hits `(n,)` with its Wilson 95 % interval over images: one seed."""
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(0.95, method="wilson")
    return Interval(float(hits.mean()), float(interval.low), float(interval.high))


def standard_error(correct: Flags) -> float:
    """Return the standard error of the accuracy over random draws; `correct` is `(draws, n)`."""
    accuracies = correct.mean(axis=1)
    return float(accuracies.std(ddof=1) / math.sqrt(len(accuracies)))


def over_seeds(values: Sequence[float]) -> Interval:
    """Return the mean of one share per training, with its t interval (95 %), clipped to [0, 1].

    Of one seed there is no interval: it is the value itself.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, mean, mean)
    half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Interval(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def worst_case(correct: Sequence[Flags]) -> Flags:
    """Return which examples `(n,)` survive every attack; each item is one attack's `(n,)`."""
    return np.asarray(np.all(correct, axis=0))


def mcnemar(one: Flags, other: Flags) -> float:
    """Return the exact p-value of McNemar's test: equal shares on the same examples `(n,)`."""
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    return _two_sided(only_one, only_one + only_other)


def _two_sided(hits: int, n: int) -> float:
    return float(binomtest(hits, n).pvalue) if n else 1.0


def shared_seeds(*by_seed: Mapping[int, object]) -> list[int]:
    """Return the seeds that all have, in the order of the first: a seed may fail or diverge."""
    return [seed for seed in next(iter(by_seed), {}) if all(seed in each for each in by_seed)]


def over_pairs(one: Mapping[int, float], other: Mapping[int, float]) -> float | None:
    """Return the p-value of equal means (paired t test) over the seeds that both have.

    Seeds where either number is undefined (NaN) or infinite do not count. None: nothing is tested,
    because fewer than two seeds are left, or because all of them differ by the same amount: without
    spread there is no noise to compare the difference with.

    Args:
        one, other: seed -> number.
    """
    seeds = [s for s in shared_seeds(one, other) if math.isfinite(one[s] + other[s])]
    pairs = [(one[seed], other[seed]) for seed in seeds]
    differences = [a - b for a, b in pairs]
    if len(pairs) < 2 or math.isclose(min(differences), max(differences), abs_tol=1e-12):
        return None
    return float(ttest_rel(*zip(*pairs, strict=True)).pvalue)


def paired(one: Mapping[int, Flags], other: Mapping[int, Flags]) -> float:
    """Return the p-value of equal shares of images, over the seeds that both have: at least one.

    Of several seeds it is the paired t test over seeds. Where that tests nothing, as of one seed,
    images are tested instead; the seed that shows the least decides.

    Args:
        one, other: seed -> hits `(n,)`.
    """
    shares = ({seed: float(hits.mean()) for seed, hits in side.items()} for side in (one, other))
    p_value = over_pairs(*shares)
    if p_value is not None:
        return p_value
    return max(_over_images(one[seed], other[seed]) for seed in shared_seeds(one, other))


def _over_images(one: Flags, other: Flags) -> float:
    """Test equal shares of one seed: on the same images (McNemar) or on different ones (Fisher)."""
    return mcnemar(one, other) if one.shape == other.shape else unpaired(one, other)


def unpaired(one: Flags, other: Flags) -> float:
    """Return the p-value of equal shares on different examples (Fisher's exact test)."""
    return float(fisher_exact([[hits.sum(), (~hits).sum()] for hits in (one, other)]).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number (Holm 1979), in the same order."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def paired_difference(one: Flags, other: Flags) -> Interval:
    """Return share of `other` minus share of `one`, on the same examples `(n,)`, in [-1, 1].

    The interval (95 %) is Newcombe's for paired proportions (1998, method 10): the Wilson intervals
    of both shares, put together by their correlation with a continuity correction. Unlike Wald's it
    holds for few examples and for shares near 0 and 1.
    """
    mine, theirs, phi = wilson(one), wilson(other), _correlation(one, other)
    difference = float(other.mean() - one.mean())
    below = _combined(theirs.value - theirs.low, mine.high - mine.value, phi)
    above = _combined(theirs.high - theirs.value, mine.value - mine.low, phi)
    return Interval(difference, max(difference - below, -1.0), min(difference + above, 1.0))


def _combined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))


def _correlation(one: Flags, other: Flags) -> float:
    """Return the phi coefficient of two answers `(n,)`, a positive one corrected towards 0."""
    n, both, neither = len(one), int((one & other).sum()), int((~one & ~other).sum())
    hits, others = int(one.sum()), int(other.sum())
    margins = hits * (n - hits) * others * (n - others)
    if not margins:
        return 0.0
    excess = both * neither - (hits - both) * (others - both)
    return (max(excess - n / 2, 0.0) if excess > 0 else excess) / math.sqrt(margins)
