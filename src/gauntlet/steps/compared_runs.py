"""What compared runs measured, read back whole before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gauntlet.config.tables import DEFENCES
from gauntlet.errors import DamagedRunError, UsageError
from gauntlet.report.cell_result import CellResult
from gauntlet.report.comparison.matching import Comparand
from gauntlet.steps.finished_cells import read_cell
from gauntlet.tracking.finished import FinishedRun, read_sealed


def comparands_of(run: FinishedRun) -> list[Comparand]:
    """Return a run's defences, each with all of its cells.

    Raises:
        UsageError: something is missing or was changed.
    """
    with complete(run.id):
        whole = read_sealed(run.id)
        is_cell = whole.run.tags["gauntlet.step"] == "cell"
        ids = [run.id] if is_cell else whole.json("cells.json").values()
    cells: dict[str, list[CellResult]] = {}
    for run_id in ids:
        with complete(run_id):
            cell = read_cell(read_sealed(run_id))
        cells.setdefault(cell.defence, []).append(cell)
    return [Comparand(run, name, tuple(cells[name])) for name in sorted(cells, key=DEFENCES.index)]


@contextmanager
def complete(run_id: str) -> Iterator[None]:
    """Say in one line what a run lacks.

    Raises:
        UsageError: an artifact, or a name in it, is missing or was changed.
    """
    try:
        yield
    except UsageError as error:
        raise UsageError(f"--runs: a cell is missing: {error}") from None
    except (DamagedRunError, KeyError) as error:
        lack = error if isinstance(error, DamagedRunError) else f"run {run_id} lacks {error}"
        raise UsageError(
            f"--runs: expected runs that hold all that this version logs; {lack}: "
            "attack again, and compare that run."
        ) from None
