"""What an attack run measures, as `(name, value)` pairs (names: docs/reference/metrics.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report

from gauntlet.evaluation.statistics import defeated, standard_error, wilson

Classes = NDArray[np.int64]

MOST = 0.05
"""Share of the pixels that `concentration` looks at."""


@dataclass(frozen=True)
class AttackOutcome:
    """One attack at one budget, as the judge sees it.

    Attributes:
        labels: true classes `(n,)`.
        clean: the judge's classes of the unattacked images `(n,)`; -1 is rejected: an error here.
        attacked: the judge's classes of the attacked images `(n,)`; -1 is rejected: the attack is
            defeated, as MagNet scores it.
        noise_l2: L2 norm of each change `(n,)`, in [0, 1] pixel units.
        noise_linf: Linf norm of each change `(n,)`.
        concentration: see the function of that name `(n,)`.
    """

    labels: Classes
    clean: Classes
    attacked: Classes
    noise_l2: NDArray[np.float32]
    noise_linf: NDArray[np.float32]
    concentration: NDArray[np.float32]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Attacked images that keep their true class or are rejected `(n,)`; see `defeated`."""
        return defeated(self.labels, self.attacked)

    @property
    def flipped(self) -> NDArray[np.bool_]:
        """Images that were right and now pass as another class `(n,)`.

        Clean errors are no success, nor is what a defence rejects, with or without attack.
        """
        return np.asarray((self.clean == self.labels) & ~self.correct)


def concentration(change: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the share of each squared change `(n, pixels)` that its 5 % largest pixels carry.

    1 where a few pixels are all of it ("sharp", in the first paper's words), 0.05 where all are
    alike; 0 of no change.
    """
    energy = np.sort(np.square(change), axis=1)
    most = max(1, round(MOST * energy.shape[1]))
    total = energy.sum(axis=1)
    return np.asarray(energy[:, -most:].sum(axis=1) / np.maximum(total, 1e-30), np.float32)


def draw_metrics(labels: Classes, votes: Classes, name: str) -> Iterator[tuple[str, float]]:
    """Yield how far the accuracy is certain in spite of random draws, if there were any.

    Args:
        labels: true classes `(n,)`.
        votes: classes by each draw `(draws, n)`.
        name: `clean` or `adv`.
    """
    if len(votes) > 1:
        yield f"{name}/accuracy_se", standard_error(votes == labels)


def clean_metrics(labels: Classes, clean: Classes) -> Iterator[tuple[str, float]]:
    """Yield accuracy on unattacked images with its Wilson interval; a rejected one is an error."""
    accuracy = wilson(clean == labels)
    yield "clean/accuracy", accuracy.value
    yield "clean/accuracy_low", accuracy.low
    yield "clean/accuracy_high", accuracy.high


def attack_metrics(outcome: AttackOutcome, target: int | None) -> Iterator[tuple[str, float]]:
    """Yield the metrics of one budget.

    Args:
        outcome: what the judge saw.
        target: the class of a one-target attack; adds `adv/target_rate`.
    """
    accuracy = wilson(outcome.correct)
    yield "adv/accuracy", accuracy.value
    yield "adv/accuracy_low", accuracy.low
    yield "adv/accuracy_high", accuracy.high
    yield "adv/success_rate", float(outcome.flipped.mean())
    right = int((outcome.clean == outcome.labels).sum())
    yield "adv/success_rate_of_correct", float(outcome.flipped.sum() / max(right, 1))
    yield "adv/unchanged", float((outcome.clean == outcome.attacked).mean())
    successful = outcome.flipped
    if successful.any():
        yield "adv/noise_l2", float(outcome.noise_l2[successful].mean())
        yield "adv/noise_l2_median", float(np.median(outcome.noise_l2[successful]))
    yield "adv/change_linf", float(outcome.noise_linf.max())
    yield "adv/concentration", float(outcome.concentration.mean())
    if target is not None:
        others = outcome.labels != target
        yield "adv/target_rate", float((outcome.attacked[others] == target).mean())


def magnet_metrics(
    labels: Classes, bare: Classes, reformed: Classes, rejected: NDArray[np.bool_]
) -> Iterator[tuple[str, float]]:
    """Yield the share of attacked images that parts of MagNet defeat.

    Args:
        labels: true classes `(n,)`.
        bare: classes without defence `(n,)`.
        reformed: classes after the reformer `(n,)`.
        rejected: what the detectors reject `(n,)`; it counts as correct.
    """
    yield "magnet/accuracy_none", float((bare == labels).mean())
    yield "magnet/accuracy_detector", float((rejected | (bare == labels)).mean())
    yield "magnet/accuracy_reformer", float((reformed == labels).mean())
    yield "magnet/accuracy_both", float((rejected | (reformed == labels)).mean())


def report_by_class(labels: Classes, predicted: Classes) -> str:
    """Return scikit-learn's precision, recall and F1 of each class, as text; -1 is rejected."""
    return str(classification_report(labels, predicted, digits=4, zero_division=0))


def count_matrix(rows: Classes, columns: Classes, n_classes: int) -> NDArray[np.int64]:
    """Count pairs `(row class, column class)`; a last row or column counts -1, if any occurs."""
    size = n_classes + int(min(rows.min(), columns.min()) < 0)
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (rows, columns), 1)  # index -1 is the last one
    return table


def matrices(outcome: AttackOutcome, n_classes: int) -> dict[str, dict[str, object]]:
    """Return the three count matrices of one budget, each with what its axes mean.

    The first paper's published "confusion matrices" are the third kind, transposed.
    """
    views = {
        "clean": ("true class", outcome.labels, "clean prediction", outcome.clean),
        "attacked": ("true class", outcome.labels, "attacked prediction", outcome.attacked),
        "moved": ("clean prediction", outcome.clean, "attacked prediction", outcome.attacked),
    }
    return {
        name: {
            "rows": rows,
            "columns": columns,
            **_counted(count_matrix(r, c, n_classes), n_classes),
        }
        for name, (rows, r, columns, c) in views.items()
    }


def _counted(counts: NDArray[np.int64], n_classes: int) -> dict[str, object]:
    names = [*map(str, range(n_classes)), "rejected"][: len(counts)]
    return {"classes": names, "counts": counts.tolist()}
