"""What an attack run measures, as `(name, value)` pairs (names: README, "Metrics")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import classification_report

from gauntlet.arrays import Counts, Flags, Floats, Labels, Predictions, Votes
from gauntlet.evaluation.statistics import defeated, standard_error, wilson

MOST = 0.05
"""Share of the pixels that `concentration` counts as the largest."""


@dataclass(frozen=True)
class AttackOutcome:
    """One attack at one budget, as the judging model sees it.

    Attributes:
        labels: true classes.
        clean: classes of the unattacked images; a rejection (-1) is an error here.
        attacked: classes of the attacked images; a rejection (-1) defeats the attack, as MagNet's
            authors score it.
        noise_l2: L2 norm of each change `(n,)`, in [0, 1] pixel units.
        noise_linf: Linf norm of each change `(n,)`.
        concentration: `concentration` of each change `(n,)`.
    """

    labels: Labels
    clean: Predictions
    attacked: Predictions
    noise_l2: Floats
    noise_linf: Floats
    concentration: Floats

    @property
    def correct(self) -> Flags:
        """Attacked images that keep their true class or are rejected; see `defeated`."""
        return defeated(self.labels, self.attacked)

    @property
    def flipped(self) -> Flags:
        """Images that were classified correctly and now pass as another class: the successes.

        Clean errors are no successes, nor are images that the defence rejects, attacked or not.
        """
        return np.asarray((self.clean == self.labels) & ~self.correct)


def concentration(change: Floats) -> Floats:
    """Return the share of each change's energy that its largest 5 % of pixels hold, `(n,)`.

    The energy of a change `(n, pixels)` is its sum of squares. The share is 1 where few pixels have
    all of it ("sharp" in the first paper), 0.05 where all pixels are alike, 0 without a change.
    """
    energy = np.sort(np.square(change), axis=1)
    most = max(1, round(MOST * energy.shape[1]))
    total = energy.sum(axis=1)
    return np.asarray(energy[:, -most:].sum(axis=1) / np.maximum(total, 1e-30), np.float32)


def draw_metrics(labels: Labels, votes: Votes, name: str) -> Iterator[tuple[str, float]]:
    """Yield the standard error of the accuracy over random draws; nothing if there is one draw.

    Args:
        labels: true classes.
        votes: predicted classes per draw.
        name: `clean` or `adv`.
    """
    if len(votes) > 1:
        yield f"{name}/accuracy_se", standard_error(votes == labels)


def clean_metrics(labels: Labels, clean: Predictions) -> Iterator[tuple[str, float]]:
    """Yield accuracy on unattacked images and its Wilson interval; a rejection is an error."""
    accuracy = wilson(clean == labels)
    yield "clean/accuracy", accuracy.value
    yield "clean/accuracy_low", accuracy.low
    yield "clean/accuracy_high", accuracy.high


def attack_metrics(outcome: AttackOutcome, target: int | None) -> Iterator[tuple[str, float]]:
    """Yield the metrics of one budget.

    Args:
        outcome: of the attack at this budget.
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
    labels: Labels, bare: Predictions, reformed: Predictions, rejected: Flags
) -> Iterator[tuple[str, float]]:
    """Yield the share of attacked images on which parts of MagNet defeat the attack.

    Args:
        labels: true classes.
        bare: predicted classes without defence.
        reformed: predicted classes behind the reformer.
        rejected: images that the detectors reject; they count as correct.
    """
    yield "magnet/accuracy_none", float((bare == labels).mean())
    yield "magnet/accuracy_detector", float((rejected | (bare == labels)).mean())
    yield "magnet/accuracy_reformer", float((reformed == labels).mean())
    yield "magnet/accuracy_both", float((rejected | (reformed == labels)).mean())


def report_by_class(labels: Labels, predicted: Predictions) -> str:
    """Return scikit-learn's text with precision, recall and F1 per class; -1 is rejected."""
    return str(classification_report(labels, predicted, digits=4, zero_division=0))


def count_matrix(rows: Predictions, columns: Predictions, n_classes: int) -> Counts:
    """Count pairs `(row class, column class)`; if -1 occurs, the last row and column count it."""
    size = n_classes + int(min(rows.min(), columns.min()) < 0)
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (rows, columns), 1)  # index -1 is the last one
    return table


def matrices(outcome: AttackOutcome, n_classes: int) -> dict[str, dict[str, object]]:
    """Return the three count matrices of one budget, with the meaning of their axes.

    The first paper's "confusion matrices" are the third kind, transposed.
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


def _counted(counts: Counts, n_classes: int) -> dict[str, object]:
    names = [*map(str, range(n_classes)), "rejected"][: len(counts)]
    return {"classes": names, "counts": counts.tolist()}
