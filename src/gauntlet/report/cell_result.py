"""What one cell measured, example by example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gauntlet.evaluation.statistics import Interval, defeated, wilson

REFERENCE_EPSILON = 0.1
REFERENCE_GREY = 16 / 255


@dataclass(frozen=True)
class CellResult:
    """What one cell measured, example by example.

    Attributes:
        defence, threat_model, attack: what the cell is.
        epsilons: budgets in [0, 1], `(k,)`.
        labels, clean: true classes and the judge's classes without attack, `(n,)`.
        attacked: the judge's classes under attack, `(k, n)`; -1 is rejected.
        noise_l2: L2 norm of each change, `(k, n)`.
        concentration: share of the squared change that its 5 % most changed pixels carry, `(k, n)`.
        bounded: whether the attack keeps its budget and the box; others stay out of worst cases.
        run_id: of the cell's run.
        no_gradient: where every pixel of the attack's gradient was zero at its start, `(n,)`; None:
            it follows none, or the cell is older than this was measured.
    """

    defence: str
    threat_model: str
    attack: str
    epsilons: tuple[float, ...]
    labels: NDArray[np.int64]
    clean: NDArray[np.int64]
    attacked: NDArray[np.int64]
    noise_l2: NDArray[np.float32]
    concentration: NDArray[np.float32]
    bounded: bool
    run_id: str
    no_gradient: NDArray[np.bool_] | None = None

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which examples keep their true class or are rejected, `(k, n)`."""
        return defeated(self.labels, self.attacked)

    @property
    def accuracies(self) -> list[float]:
        """Robust accuracy at each budget."""
        return [float(row.mean()) for row in self.correct]

    @property
    def reference(self) -> int:
        """Index of the budget that tables show: 0.1 (16 grey levels), else the largest."""
        return reference_index(self.epsilons, self.bounded)

    @property
    def at_reference(self) -> Interval:
        """Robust accuracy at the reference budget."""
        return wilson(self.correct[self.reference])

    @property
    def flipped(self) -> NDArray[np.bool_]:
        """Which examples were right and now pass as another class, `(k, n)`."""
        return np.asarray((self.clean == self.labels) & ~self.correct)

    @property
    def success_rate(self) -> Interval:
        """Share of all attacked examples that the largest budget flips."""
        return wilson(self.flipped[-1])

    @property
    def stuck(self) -> tuple[int, int]:
        """How many correctly classified images had no gradient, and how many there are."""
        right = self.clean == self.labels
        nowhere = np.zeros_like(right) if self.no_gradient is None else self.no_gradient
        return int((right & nowhere).sum()), int(right.sum())

    @property
    def noise_level(self) -> float:
        """Mean L2 norm of the change over what the largest budget flips (second paper, eq. 9)."""
        flipped = self.flipped[-1]
        return float(self.noise_l2[-1][flipped].mean()) if flipped.any() else math.nan

    @property
    def budget(self) -> str:
        """The reference budget as text, in the attack's own unit."""
        return self.budget_at(self.reference)

    def budget_at(self, index: int) -> str:
        """Return a budget as text, in the attack's own unit."""
        epsilon = self.epsilons[index]
        return f"{epsilon:g}" if self.bounded else f"{255 * epsilon:g}/255"


def reference_index(epsilons: Sequence[float], bounded: bool = True) -> int:
    """Return the index of the budget that tables and pictures show."""
    wanted = REFERENCE_EPSILON if bounded else REFERENCE_GREY
    near = [i for i, e in enumerate(epsilons) if abs(e - wanted) < 1e-9]
    return near[0] if near else len(epsilons) - 1
