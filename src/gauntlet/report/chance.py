"""Models that learned nothing: their numbers under attack say nothing about robustness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gauntlet.arrays import REJECTED
from gauntlet.evaluation.statistics import wilson

LOOK_AT = (
    "look at learning_curve.png of its trainings (tags gauntlet.input.*), and train with other "
    "--epochs, --learning_rate, --classifier_epochs or --train_size"
)
"""What to do about a model that learned nothing."""


class Judged(NamedTuple):
    """The predictions of a model for the test images, without attack.

    Attributes:
        who: name of the model in the warning.
        labels, clean: true and predicted classes, `(n,)`; -1 is rejected.
    """

    who: str
    labels: NDArray[np.int64]
    clean: NDArray[np.int64]


def warnings(models: Iterable[Judged]) -> Iterator[str]:
    """Yield one sentence per reason, naming all models that learned nothing."""
    found: dict[str, list[str]] = {}
    for model in models:
        if reason := _reason(model.labels, model.clean):
            found.setdefault(reason, []).append(model.who)
    for reason, names in found.items():
        who = ", ".join(dict.fromkeys(names))
        yield f"{who}: {reason}, so no number under attack means anything; {LOOK_AT}"


def from_counts(who: str, counts: ArrayLike) -> Judged:
    """Return the predictions that a confusion matrix (true class x prediction) counts."""
    table = np.asarray(counts, np.int64)
    rows, columns = np.indices(table.shape)
    return Judged(who, *(np.repeat(c.ravel(), table.ravel()) for c in (rows, columns)))


def _reason(labels: NDArray[np.int64], clean: NDArray[np.int64]) -> str:
    """Return why a model learned nothing; empty: it did learn, or all images are of one class."""
    images = np.unique(labels, return_counts=True)[1]
    if len(images) < 2:
        return ""
    answers = np.unique(clean)
    if len(answers) == 1:
        return (
            "every test image is rejected"
            if answers[0] == REJECTED
            else f"every test image is predicted as class {answers[0]}"
        )
    accuracy, share = wilson(clean == labels), images.max() / len(labels)
    if accuracy.low > share:
        return ""
    return (
        f"clean accuracy {accuracy} is not above {share:.4f}, what answering the most frequent "
        "class always gives"
    )
