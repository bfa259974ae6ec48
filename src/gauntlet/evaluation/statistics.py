"""What counts as defeated, intervals and worst cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

from gauntlet.config.base import REJECTED


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


def over_seeds(values: Sequence[float]) -> Interval:
    """Return the mean of one share a training, with its t interval (95 %), clipped to [0, 1].

    Of one seed there is no interval: it is the value itself.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, mean, mean)
    half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return Interval(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def worst_case(correct: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return which examples `(n,)` survive every attack; each item is one attack's `(n,)`."""
    return np.asarray(np.all(correct, axis=0))


def defeated(labels: NDArray[np.int64], attacked: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell where an attack came to nothing: the true class is predicted, or -1, rejected.

    At every budget, 0 too: there robust accuracy exceeds `clean/accuracy` by the false positives.
    Shapes broadcast.
    """
    return np.asarray((attacked == labels) | (attacked == REJECTED))
