"""Finished cells, read back from the store alone."""

from __future__ import annotations

from gauntlet.config.tables import speaks_grey_levels
from gauntlet.report.cell_result import CellResult
from gauntlet.tracking.finished import SealedRun

EXAMPLES, NO_GRADIENT = "examples.npz", "no_gradient"


def read_cell(run: SealedRun) -> CellResult:
    """Return what a finished cell measured, example by example.

    Raises:
        DamagedRunError: its examples are missing, or not those that it logged.
    """
    tags, arrays = run.run.tags, run.arrays(EXAMPLES)
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
