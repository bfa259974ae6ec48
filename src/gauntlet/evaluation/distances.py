"""The security curve: robust accuracy at every budget, from one search for the nearest images.

A minimum-norm attack gives each image the distance at which it falls. The share of images that fall
farther away than a budget is the robust accuracy within it (Biggio and Roli 2018, arXiv:1712.03141,
section 4; Pintor et al. 2021, arXiv:2102.12827).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gauntlet.arrays import Flags, Floats
from gauntlet.catalogue.units import BudgetNorm
from gauntlet.evaluation.metrics import AttackOutcome
from gauntlet.evaluation.outcomes import defeated


@dataclass(frozen=True, eq=False)
class Distances:
    """How far from each image the nearest one lies that was found to fell the judge.

    Attributes:
        norm: of the changes.
        each: `(n,)`, in the unit of the budgets: 0 where the judge is wrong without attack,
            infinite where what was found, if anything, does not fell it.
    """

    norm: BudgetNorm
    each: Floats

    def standing(self, epsilon: float) -> Flags:
        """Tell which images withstand a budget, `(n,)`."""
        return np.asarray(self.each > np.float32(epsilon))

    @property
    def curve(self) -> tuple[list[float], list[float]]:
        """The distances at which images fall, from 0 on, and the robust accuracy from each on."""
        epsilons = np.unique(np.append(self.each[np.isfinite(self.each)], np.float32(0)))
        fallen = np.searchsorted(np.sort(self.each), epsilons, side="right")
        return epsilons.tolist(), ((len(self.each) - fallen) / len(self.each)).tolist()

    def median(self, among: Flags) -> float:
        """Return the median of some images; infinite where over half of them withstand, or NaN."""
        return float(np.median(self.each[among])) if among.any() else math.nan


def distances(norm: BudgetNorm, found: AttackOutcome, unit: float) -> Distances:
    """Return how far away the images are that a search found.

    Args:
        norm: in which it looked for the nearest.
        found: what the judge saw of them, at a budget that accepts every change.
        unit: what a budget of 1 is, in the units of the images.
    """
    size = found.noise_linf if norm is BudgetNorm.LINF else found.noise_l2
    reached = np.where(found.correct, np.float32(np.inf), size / np.float32(unit))
    right = defeated(found.labels, found.clean)
    return Distances(norm, np.where(right, reached, np.float32(0)))
