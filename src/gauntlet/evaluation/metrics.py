"""What an attack run measures: names (see `gauntlet.tracking.metric_names`) and values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import classification_report

from gauntlet.arrays import Counts, Floats, Labels, Predictions, Votes
from gauntlet.evaluation.outcomes import CountMatrix, Outcome
from gauntlet.evaluation.quantities import CLEAN_ACCURACY, LOGGED, ROBUST_ACCURACY, target_rate
from gauntlet.evaluation.statistics import Interval, standard_error, wilson

MOST = 0.05
"""Share of the pixels, the most changed ones, whose part of the change `concentration` gives."""


@dataclass(frozen=True, kw_only=True)
class AttackOutcome(Outcome):
    """One attack at one budget, as the judge sees it.

    Attributes:
        noise_linf: Linf norm of each change `(n,)`, in [0, 1] pixel units.
    """

    noise_linf: Floats


def concentration(change: Floats) -> Floats:
    """Return the share of each squared change `(n, pixels)` that its 5 % largest pixels carry.

    1 where a few pixels are all of it ("sharp", in the first paper's words), 0.05 where all are
    alike; 0 of no change.
    """
    energy = np.sort(np.square(change), axis=1)
    most = max(1, round(MOST * energy.shape[1]))
    total = energy.sum(axis=1)
    return np.asarray(energy[:, -most:].sum(axis=1) / np.maximum(total, 1e-30), np.float32)


def draw_metrics(labels: Labels, votes: Votes, name: str) -> Iterator[tuple[str, float]]:
    """Yield the standard error of the accuracy over random draws, if there were several.

    Args:
        labels: true classes `(n,)`.
        votes: classes by each draw `(draws, n)`.
        name: `clean` or `adv`.
    """
    if len(votes) > 1:
        yield f"{name}/accuracy_se", standard_error(votes == labels)


def clean_metrics(labels: Labels, clean: Predictions) -> Iterator[tuple[str, float]]:
    """Yield accuracy on unattacked images with its Wilson interval; a rejected one is an error."""
    yield from _with_interval(CLEAN_ACCURACY.metric, wilson(clean == labels))


def attack_metrics(outcome: AttackOutcome, target: int | None) -> Iterator[tuple[str, float]]:
    """Yield the metrics of one budget; those that are undefined are left out.

    Args:
        outcome: what the judge saw.
        target: the class of a one-target attack; adds `adv/target_rate`.
    """
    yield from _with_interval(ROBUST_ACCURACY.metric, ROBUST_ACCURACY.measure(outcome))
    yield "adv/change_linf", float(outcome.noise_linf.max())
    for quantity in (*LOGGED, *(() if target is None else (target_rate(target),))):
        value = quantity.measure(outcome).value
        if not math.isnan(value):
            yield quantity.metric, value


def _with_interval(name: str, measured: Interval) -> Iterator[tuple[str, float]]:
    yield name, measured.value
    yield f"{name}_low", measured.low
    yield f"{name}_high", measured.high


def report_by_class(labels: Labels, predicted: Predictions) -> str:
    """Return scikit-learn's precision, recall and F1 of each class, as text; -1 is rejected."""
    return str(classification_report(labels, predicted, digits=4, zero_division=0))


def count_matrix(rows: Predictions, columns: Predictions, n_classes: int) -> Counts:
    """Count pairs `(row class, column class)`; a last row or column counts -1, if any occurs."""
    size = n_classes + int(min(rows.min(), columns.min()) < 0)
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (rows, columns), 1)  # index -1 is the last one
    return table


def matrices(
    labels: Labels, clean: Predictions, attacked: Predictions, n_classes: int
) -> dict[str, CountMatrix]:
    """Return the three count matrices of one budget, each with what its axes mean.

    The first paper's published "confusion matrices" are the third kind, transposed.
    """
    views = {
        "clean": ("true class", labels, "clean prediction", clean),
        "attacked": ("true class", labels, "attacked prediction", attacked),
        "moved": ("clean prediction", clean, "attacked prediction", attacked),
    }
    return {
        name: _counted(rows, columns, count_matrix(r, c, n_classes), n_classes)
        for name, (rows, r, columns, c) in views.items()
    }


def _counted(rows: str, columns: str, counts: Counts, n_classes: int) -> CountMatrix:
    names = [*map(str, range(n_classes)), "rejected"][: len(counts)]
    return {"rows": rows, "columns": columns, "classes": names, "counts": counts.tolist()}
