"""What one cell measured, example by example."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.catalogue.units import PIXEL_RANGE, Unit
from gauntlet.evaluation.distances import Distances
from gauntlet.evaluation.outcomes import Outcome, Scored
from gauntlet.evaluation.quantities import NOISE_LEVEL, ROBUST_ACCURACY, SUCCESS_RATE
from gauntlet.evaluation.statistics import Interval


class Cost(NamedTuple):
    """What an attack took.

    Attributes:
        gradient_calls: gradients per image on average, at each budget; each draw counts.
        queries: forward passes per image beside these, likewise.
        seconds: for all images and all budgets together; of the machine that made them.
    """

    gradient_calls: tuple[float, ...]
    queries: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class CellResult(Scored):
    """What one cell measured, example by example.

    Attributes:
        defence, threat_model, attack: names that identify the cell.
        epsilons: budgets of pixels in [0, 1], in the norm of their unit, `(k,)`.
        labels, clean: true classes and the judge's classes without attack, `(n,)`.
        attacked: the judge's classes under attack, `(k, n)`; -1 is rejected.
        noise_l2: L2 norm of each change, `(k, n)`.
        concentration: share of the squared change that its 5 % most changed pixels carry, `(k, n)`.
        keeps_budget: whether the attack keeps its budget and the pixel range; otherwise it does not
            count in worst cases.
        unit: in which its budgets are shown.
        no_gradient: whether the gradient was zero at every pixel when the attack started, `(n,)`;
            None: the attack follows no gradient.
        distances: of the nearest adversarial images; None: the attack looks for none.
        cost: of making the adversarial images; None: a cell of before it was kept.
        run_id: of the cell's run; empty: it was not recorded.
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
    keeps_budget: bool = True
    unit: Unit = PIXEL_RANGE
    no_gradient: NDArray[np.bool_] | None = None
    distances: Distances | None = None
    cost: Cost | None = None
    run_id: str = ""

    def at(self, index: int) -> Outcome:
        """Return what happened at one budget; -1 is the largest."""
        return Outcome(
            self.labels,
            self.clean,
            self.attacked[index],
            self.noise_l2[index],
            self.concentration[index],
        )

    @property
    def accuracies(self) -> list[float]:
        """Robust accuracy at each budget."""
        return [float(row.mean()) for row in self.correct]

    @property
    def reference(self) -> int:
        """Index of the reference budget, which tables show; see `Unit.reference`."""
        return self.unit.index_of_reference(self.epsilons)

    @property
    def at_reference(self) -> Interval:
        """Robust accuracy at the reference budget."""
        return ROBUST_ACCURACY.measure(self.at(self.reference))

    @property
    def success_rate(self) -> Interval:
        """Success rate at the largest budget, over all attacked images."""
        return SUCCESS_RATE.measure(self.at(-1))

    @property
    def stuck(self) -> tuple[int, int]:
        """How many correctly classified images had no gradient, and how many there are."""
        nowhere = np.zeros_like(self.right) if self.no_gradient is None else self.no_gradient
        return int((self.right & nowhere).sum()), int(self.right.sum())

    @property
    def noise_level(self) -> float:
        """Noise level at the largest budget: mean L2 norm over successful attacks, or NaN."""
        return NOISE_LEVEL.measure(self.at(-1)).value

    @property
    def median_distance(self) -> float:
        """Median distance over correctly classified images, or NaN; see `Distances.median`."""
        return math.nan if self.distances is None else self.distances.median(self.right)

    @property
    def budget(self) -> str:
        """The reference budget as text, in the attack's own unit."""
        return self.budget_at(self.reference)

    def budget_at(self, index: int) -> str:
        """Return a budget as text, in the attack's own unit."""
        return self.unit.shown(self.epsilons[index])

    def index_of(self, epsilon: float | None) -> int:
        """Return the index of a budget in the attack's own unit; None: the largest.

        Raises:
            KeyError: the cell was not attacked at that budget.
        """
        if epsilon is None:
            return len(self.epsilons) - 1
        for index, known in enumerate(self.epsilons):
            if abs(known * self.unit.per_range - epsilon) < 1e-9:
                return index
        raise KeyError(f"{self.attack}: no epsilon {epsilon:g} among {self.epsilons}")
