"""A measured cell as a run: metrics, examples, matrices and pictures; and how it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gauntlet.arrays import Array
from gauntlet.catalogue.parameters import Json
from gauntlet.catalogue.units import BudgetNorm, Unit
from gauntlet.cells.plan import Cell
from gauntlet.cells.result import CellResult, Cost
from gauntlet.data.dataset import Dataset
from gauntlet.evaluation.distances import Distances
from gauntlet.pipeline.inputs import grid_indices
from gauntlet.tracking import names
from gauntlet.tracking.finished import SealedRun
from gauntlet.tracking.recording import TrackedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gauntlet.cells.measure import Measurement

EXAMPLES, NO_GRADIENT, DISTANCE = "examples.npz", "no_gradient", "distance"
DISTANCE_NORM, COST = "distance_norm", "cost"
ARRAYS = ("labels", "clean", "attacked", "noise_l2", "concentration")


def record(run: TrackedRun, cell: Cell, found: Measurement, data: Dataset) -> None:
    """Log all that was measured of a cell."""
    for name, value, step in found.metrics:
        run.metrics([(name, value)], step)
    result = found.result
    run.json("cell.json", _about(result))
    arrays = {name: getattr(result, name) for name in ARRAYS}
    if result.no_gradient is not None:
        arrays[NO_GRADIENT] = result.no_gradient
    if result.distances is not None:
        arrays[DISTANCE] = result.distances.each
    run.arrays(EXAMPLES, epsilons=np.asarray(result.epsilons), **arrays)
    _draw(run, cell, found, data)


def _about(result: CellResult) -> Json:
    """Return what a reader must know of the attack, who may not have it."""
    unit, found = result.unit, result.distances
    return {
        "keeps_budget": result.keeps_budget,
        "unit": {
            "per_range": unit.per_range,
            "reference": unit.reference,
            "ending": unit.ending,
            "axis": unit.axis,
            "norm": unit.norm,
            "whole": unit.whole,
        },
        **({} if found is None else {DISTANCE_NORM: found.norm}),
        **({} if result.cost is None else {COST: result.cost._asdict()}),
    }


def read_cell(run: SealedRun) -> CellResult:
    """Return what a finished cell measured, example by example.

    Raises:
        DamagedRunError: its examples are missing, or not those that it logged.
    """
    tags, arrays, about = run.run.tags, run.arrays(EXAMPLES), run.json("cell.json")
    return CellResult(
        defence=tags[names.DEFENCE],
        threat_model=tags[names.THREAT_MODEL],
        attack=tags[names.ATTACK],
        epsilons=tuple(map(float, arrays["epsilons"])),
        **{name: arrays[name] for name in ARRAYS},
        keeps_budget=about["keeps_budget"],
        unit=_unit(about["unit"]),
        no_gradient=arrays.get(NO_GRADIENT),
        distances=_distances(arrays, about),
        cost=_cost(about),
        run_id=run.id,
    )


def _unit(about: Json) -> Unit:
    """Return a unit that was logged; cells of before there were L2 budgets name no norm."""
    return Unit(**{**about, "norm": BudgetNorm(about.get("norm", BudgetNorm.LINF))})


def _distances(arrays: Mapping[str, Array], about: Json) -> Distances | None:
    """Return the distances of a search; cells of before they were kept have none."""
    if DISTANCE not in arrays:
        return None
    return Distances(BudgetNorm(about[DISTANCE_NORM]), arrays[DISTANCE])


def _cost(about: Json) -> Cost | None:
    """Return what an attack took; cells of before it was kept do not say."""
    if COST not in about:
        return None
    gradients, queries, seconds = (about[COST][name] for name in Cost._fields)
    return Cost(tuple(gradients), tuple(queries), seconds)


def _draw(run: TrackedRun, cell: Cell, found: Measurement, data: Dataset) -> None:
    from gauntlet.evaluation.figures import draw_curves
    from gauntlet.evaluation.matrix_figures import draw_matrices
    from gauntlet.evaluation.metrics import matrices, report_by_class

    result = found.result
    at = result.reference
    shown = f"{result.epsilons[at]:g}"
    tables = {
        f"{epsilon:g}": matrices(data.y_test, result.clean, result.attacked[i], data.n_classes)
        for i, epsilon in enumerate(result.epsilons)
    }
    # Without the ending: grey levels are shown as shares of the pixel range here.
    title = f"{cell.name}, epsilon {result.epsilons[at]:.4g}{result.unit.norm.within}"
    run.json("confusion_matrices.json", tables)
    run.figure("confusion_matrices.png", draw_matrices(tables[shown], title))
    report = report_by_class(data.y_test, result.attacked[at])
    run.text("classification_report.txt", f"{title}\n\n{report}")
    norm, name = result.unit.norm, ""  # the title says it; a legend would render the figure twice
    listed, searched = {name: (result.epsilons, result.accuracies)}, {}
    if result.distances is not None:
        norm, listed, searched = result.distances.norm, {}, {name: result.distances.curve}
    run.figure("accuracy_epsilon.png", draw_curves(listed, cell.name, norm.axis, searched))
    run.figure("images.png", _grid(found, data, title))


def _grid(found: Measurement, data: Dataset, title: str) -> Figure:
    """Draw some images, what was made of them, and what the classifier sees of that."""
    from gauntlet.evaluation.figures import draw_grid

    picked, at = grid_indices(data), found.result.reference
    start = found.starts[picked]
    adversarial = found.crafting.results[at].adversarial[picked]
    rows = {"image": data.x_test[picked], "perturbed": adversarial}
    rows["difference"] = adversarial - start
    defended = found.scenario.defended
    if defended.autoencoder is not None:
        seen = found.scenario.perturbs_input
        rows["reconstruction"] = defended.reconstruct(adversarial) if seen else start
    captions = {"image": found.result.clean[picked], "perturbed": found.result.attacked[at][picked]}
    shown = {k: ["rej." if c < 0 else str(c) for c in v] for k, v in captions.items()}
    return draw_grid(rows, shown, title)
