"""What an attack did to each image, and how that is scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gauntlet.arrays import REJECTED

Classes = NDArray[np.int64]
Hits = NDArray[np.bool_]


def defeated(labels: Classes, attacked: Classes) -> Hits:
    """Tell where an attack failed: the true class is predicted, or the image is rejected (-1).

    Applies at epsilon 0 too, where robust accuracy exceeds `clean/accuracy` by the falsely rejected
    clean images. Shapes broadcast.
    """
    return np.asarray((attacked == labels) | (attacked == REJECTED))


class Scored:
    """Scores of attacked images, for classes that have the attributes below.

    Attributes:
        labels: true classes `(n,)`.
        clean: the judge's classes of the unattacked images `(n,)`; -1 is rejected: an error here.
        attacked: the judge's classes of the attacked images, `(n,)` for one budget or `(k, n)` for
            k budgets; -1 is rejected: the attack is defeated, as MagNet scores it.
    """

    labels: Classes
    clean: Classes
    attacked: Classes

    @property
    def right(self) -> Hits:
        """Images that are classified correctly without attack, `(n,)`."""
        return np.asarray(self.clean == self.labels)

    @property
    def correct(self) -> Hits:
        """Attacked images that keep their true class or are rejected; shape of `attacked`."""
        return defeated(self.labels, self.attacked)

    @property
    def flipped(self) -> Hits:
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

    labels: Classes
    clean: Classes
    attacked: Classes
    noise_l2: NDArray[np.float32]
    concentration: NDArray[np.float32]
