"""Intervals and worst cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest


class Interval(NamedTuple):
    """A share and its 95 % interval, all in [0, 1]."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def wilson(hits: NDArray[np.bool_]) -> Interval:
    """Return the share of hits `(n,)` with its Wilson 95 % interval over images: one seed."""
    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(0.95, method="wilson")
    return Interval(float(hits.mean()), float(interval.low), float(interval.high))


def standard_error(correct: NDArray[np.bool_]) -> float:
    """Return the standard error of the accuracy over random draws; `correct` is `(draws, n)`."""
    accuracies = correct.mean(axis=1)
    return float(accuracies.std(ddof=1) / math.sqrt(len(accuracies)))


def worst_case(correct: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return which examples `(n,)` survive every attack; each item is one attack's `(n,)`."""
    return np.asarray(np.all(correct, axis=0))
