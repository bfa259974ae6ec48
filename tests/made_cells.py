"""Results of cells that nobody measured, for what counts and draws them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from gauntlet.catalogue.units import GREY_LEVELS, PIXEL_RANGE, Unit
from gauntlet.cells.result import CellResult, Cost
from gauntlet.evaluation.distances import Distances


def made_cell(
    attack: str,
    fallen: Sequence[Collection[int]],
    *,
    defence: str = "none",
    threat_model: str = "white_box",
    epsilons: tuple[float, ...] = (0.0, 0.1),
    n: int = 10,
    label: int = 0,
    wrong: Collection[int] = (),
    noise: float = 2.0,
    unit: Unit = PIXEL_RANGE,
    no_gradient: np.ndarray | None = None,
    distances: Distances | None = None,
    cost: Cost | None = None,
    run_id: str = "cell",
) -> CellResult:
    """Return a cell of `n` images of one class, which fall to the next class.

    Args:
        attack: its name.
        fallen: the images that fall, at each budget.
        defence: its name.
        threat_model: its name.
        epsilons: the budgets.
        n: how many images.
        label: their class.
        wrong: images that are misclassified without attack, and under it.
        noise: L2 norm of each change, half of which few pixels carry.
        unit: of the budgets; the attack keeps them unless they are grey levels.
        no_gradient, distances, cost: see `CellResult`.
        run_id: see `CellResult`.
    """
    labels = np.full(n, label)
    clean = labels.copy()
    clean[list(wrong)] += 1
    attacked = np.tile(clean, (len(epsilons), 1))
    for row, images in zip(attacked, fallen, strict=True):
        row[list(images)] = label + 1
    return CellResult(
        defence,
        threat_model,
        attack,
        epsilons,
        labels,
        clean,
        attacked,
        np.full(attacked.shape, noise, np.float32),
        np.full(attacked.shape, 0.5, np.float32),
        keeps_budget=unit is not GREY_LEVELS,
        unit=unit,
        no_gradient=no_gradient,
        distances=distances,
        cost=cost,
        run_id=run_id,
    )
