"""What compared runs measured, read back whole before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gauntlet.config.tables import DEFENCES
from gauntlet.errors import UsageError
from gauntlet.report.cell_result import CellResult
from gauntlet.report.comparable import Comparand
from gauntlet.steps.finished_cells import read_cell
from gauntlet.tracking.finished import FinishedRun, read_json


def comparands_of(run: FinishedRun) -> list[Comparand]:
    """Return a run's defences, each with all of its cells.

    Raises:
        UsageError: an artifact is missing.
    """
    with complete(run.id):
        ids = [run.id] if run.tags["gauntlet.step"] == "cell" else [
            *read_json(run.id, "cells.json").values()]  # fmt: skip
    cells: dict[str, list[CellResult]] = {}
    for run_id in ids:
        with complete(run_id):
            cell = read_cell(run_id)
        cells.setdefault(cell.defence, []).append(cell)
    return [Comparand(run, name, tuple(cells[name])) for name in sorted(cells, key=DEFENCES.index)]


@contextmanager
def complete(run_id: str) -> Iterator[None]:
    """Say in one line what a run lacks.

    Raises:
        UsageError: an artifact, or a name in it, is missing.
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(f"--runs: a cell is missing: {error}") from None
    except (FileNotFoundError, KeyError) as error:
        raise UsageError(
            f"--runs: expected runs that hold all that this version logs; run {run_id} lacks "
            f"{error}: attack again, and compare that run."
        ) from None
