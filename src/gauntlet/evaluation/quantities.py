"""Every quantity of an attack; metrics, tables, claims and comparisons compute it here alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from gauntlet.arrays import Flags
from gauntlet.evaluation.outcomes import Outcome
from gauntlet.evaluation.quantity import Computed, Over, Quantity, Replicated, Share, Unit


def _share(name: str, meaning: str, metric: str, hits: Callable[[Outcome], Flags]) -> Share:
    replicated = Replicated.IMAGES
    return Share(name, meaning, Over.ATTACKED, Unit.SHARE, replicated, metric, hits=hits)


CLEAN_ACCURACY = _share(
    "clean_accuracy",
    "accuracy without attack; a rejected image is an error",
    "clean/accuracy",
    lambda outcome: outcome.right,
)
ROBUST_ACCURACY = _share(
    "robust_accuracy",
    "accuracy under attack, against the true class; a rejected image is correct",
    "adv/accuracy",
    lambda outcome: outcome.correct,
)
SUCCESS_RATE = _share(
    "success_rate",
    "attacks that turn a correctly classified image into another class",
    "adv/success_rate",
    lambda outcome: outcome.flipped,
)
UNCHANGED = _share(
    "unchanged",
    "predictions that the attack does not change",
    "adv/unchanged",
    lambda outcome: np.asarray(outcome.attacked == outcome.clean),
)


def _success_rate_of_correct(outcome: Outcome) -> float:
    return float(outcome.flipped.sum() / max(int(outcome.right.sum()), 1))


SUCCESS_RATE_OF_CORRECT = Computed(
    "success_rate_of_correct",
    "attacks that turn a correctly classified image into another class",
    Over.CORRECT,
    Unit.SHARE,
    # Two defences classify different images correctly, so images cannot be paired.
    Replicated.SEEDS,
    "adv/success_rate_of_correct",
    compute=_success_rate_of_correct,
)


def _drop(outcome: Outcome) -> float:
    return float(outcome.right.mean() - outcome.correct.mean())


DROP = Computed(
    "drop",
    "accuracy that the attack costs",
    Over.ATTACKED,
    Unit.DIFFERENCE,
    Replicated.SEEDS,
    compute=_drop,
)


def _noise_level(outcome: Outcome) -> float:
    successes = outcome.flipped
    return float(outcome.noise_l2[successes].mean()) if successes.any() else math.nan


def _median_noise_level(outcome: Outcome) -> float:
    successes = outcome.flipped
    return float(np.median(outcome.noise_l2[successes])) if successes.any() else math.nan


NOISE_LEVEL = Computed(
    "noise_level",
    "mean L2 norm of the change (second paper, equation 9)",
    Over.SUCCESSES,
    Unit.L2,
    Replicated.SEEDS,
    "adv/noise_l2",
    compute=_noise_level,
)
MEDIAN_NOISE_LEVEL = Computed(
    "median_noise_level",
    "median L2 norm of the change",
    Over.SUCCESSES,
    Unit.L2,
    Replicated.SEEDS,
    "adv/noise_l2_median",
    compute=_median_noise_level,
)
CONCENTRATION = Computed(
    "concentration",
    "mean share of the squared change that its 5 % most changed pixels carry",
    Over.ATTACKED,
    Unit.SHARE,
    Replicated.SEEDS,
    "adv/concentration",
    compute=lambda outcome: float(outcome.concentration.mean()),
)

OF_IMAGES: Mapping[str, Share | Computed] = {
    quantity.name: quantity
    for quantity in (
        CLEAN_ACCURACY,
        ROBUST_ACCURACY,
        DROP,
        SUCCESS_RATE,
        SUCCESS_RATE_OF_CORRECT,
        NOISE_LEVEL,
        MEDIAN_NOISE_LEVEL,
        UNCHANGED,
        CONCENTRATION,
    )
}
"""What can be asked of any attacked cell."""

LOGGED = (
    SUCCESS_RATE,
    SUCCESS_RATE_OF_CORRECT,
    UNCHANGED,
    NOISE_LEVEL,
    MEDIAN_NOISE_LEVEL,
    CONCENTRATION,
)
"""Quantities that a run logs as one number per budget."""

NATURAL, NON_NATURAL = "natural_target", "non_natural_target"
TARGETS = {
    NATURAL: "class in which most images of a class end",
    NON_NATURAL: "class in which fewest images of a class end",
}
"""What can be asked of an attacked cell and one true class."""


def target(name: str, of_class: int) -> Computed:
    """Return the class in which images of one true class end most, or least, often (`TARGETS`)."""

    def compute(outcome: Outcome) -> float:
        attacked = outcome.attacked[outcome.labels == of_class]
        classes = int(outcome.labels.max()) + 1
        counts = np.bincount(attacked[attacked >= 0], minlength=classes)
        others = np.delete(np.arange(len(counts)), of_class)
        pick = np.argmax if name == NATURAL else np.argmin
        return float(others[pick(counts[others])])

    return Computed(
        name, TARGETS[name], Over.OF_CLASS, Unit.CLASS, Replicated.NOTHING, compute=compute
    )


def target_rate(of_class: int) -> Computed:
    """Return the share of images of other classes that end in the target class."""

    def compute(outcome: Outcome) -> float:
        others = outcome.labels != of_class
        return float((outcome.attacked[others] == of_class).mean())

    return Computed(
        "target_rate",
        "images that end in the target class",
        Over.OTHER_CLASSES,
        Unit.SHARE,
        Replicated.SEEDS,
        "adv/target_rate",
        compute=compute,
    )


OF_TRAININGS = Quantity(
    "training_metric", "a metric of a training", Over.TRAININGS, Unit.OWN, Replicated.SEEDS
)
PARAMETER = Quantity(
    "parameter", "a parameter of a training", Over.TRAININGS, Unit.OWN, Replicated.NOTHING
)
OF_DATA = Quantity(
    "data", "a number that the data set alone decides", Over.DATA, Unit.OWN, Replicated.NOTHING
)
