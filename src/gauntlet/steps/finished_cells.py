"""Finished cells, read back from the store alone."""

from __future__ import annotations

from gauntlet.config.tables import speaks_grey_levels
from gauntlet.report.cell_result import CellResult
from gauntlet.tracking.artifacts import load_arrays
from gauntlet.tracking.finished import FinishedRun, read_run

EXAMPLES, NO_GRADIENT = "examples.npz", "no_gradient"


def read_cell(run_id: str) -> CellResult:
    """Return what a finished cell measured, example by example."""
    return cell_of(read_run(run_id))


def cell_of(run: FinishedRun) -> CellResult:
    """Return what the cell of a run that is read already measured."""
    tags, arrays = run.tags, load_arrays(run.id, EXAMPLES)
    attack = tags["gauntlet.attack"]
    return CellResult(
        tags["gauntlet.defence"],
        tags["gauntlet.threat_model"],
        attack,
        tuple(map(float, arrays["epsilons"])),
        arrays["labels"],
        arrays["clean"],
        arrays["attacked"],
        arrays["noise_l2"],
        arrays["concentration"],
        not speaks_grey_levels(attack),
        run.id,
        arrays.get(NO_GRADIENT),
    )
