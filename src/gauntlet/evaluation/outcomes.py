"""What an attack did to each image, and how that is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np

from gauntlet.arrays import REJECTED, Flags, Floats, Labels, Predictions


def defeated(labels: Labels, attacked: Predictions) -> Flags:
    """Tell where an attack failed: the true class is predicted, or the image is rejected (-1).

    Applies at epsilon 0 too, where robust accuracy exceeds `clean/accuracy` by the falsely rejected
    clean images. Shapes broadcast.
    """
    return np.asarray((attacked == labels) | (attacked == REJECTED))


class CountMatrix(TypedDict):
    """How many images have each pair of classes.

    Attributes:
        rows, columns: what the axes mean.
        counts: `(classes, classes)`; a last class `rejected` may follow.
        classes: names of the classes.
    """

    rows: str
    columns: str
    counts: list[list[int]]
    classes: NotRequired[list[str]]


class Scored:
    """Scores of attacked images, for classes that have the attributes below.

    Attributes:
        labels: true classes `(n,)`.
        clean: the judge's classes of the unattacked images `(n,)`; -1 is rejected: an error here.
        attacked: the judge's classes of the attacked images, `(n,)` for one budget or `(k, n)` for
            k budgets; -1 is rejected: the attack is defeated, as MagNet scores it.
    """

    labels: Labels
    clean: Predictions
    attacked: Predictions

    @property
    def right(self) -> Flags:
        """Images that are classified correctly without attack, `(n,)`."""
        return np.asarray(self.clean == self.labels)

    @property
    def correct(self) -> Flags:
        """Attacked images that keep their true class or are rejected; shape of `attacked`."""
        return defeated(self.labels, self.attacked)

    @property
    def flipped(self) -> Flags:
        """Successful attacks: right before, another class now; shape of `attacked`.

        Clean errors are no successes, nor are images that a defence rejects, attacked or not.
        """
        return np.asarray(self.right & ~self.correct)


@dataclass(frozen=True)
class Outcome(Scored):
    """One attack at one budget, image by image.

    Attributes:
        labels, clean, attacked: see `Scored`, `(n,)` each.
        noise_l2: L2 norm of each change `(n,)`, in [0, 1] pixel units.
        concentration: share of each squared change that its 5 % most changed pixels carry, `(n,)`.
    """

    labels: Labels
    clean: Predictions
    attacked: Predictions
    noise_l2: Floats
    concentration: Floats
