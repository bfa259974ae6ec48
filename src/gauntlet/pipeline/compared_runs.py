"""The runs that a comparison is asked for, checked, and what they measured, read back whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gauntlet.catalogue.defences import DEFENCES
from gauntlet.cells.result import CellResult
from gauntlet.config.compare import CompareConfig
from gauntlet.errors import DamagedRunError, UsageError
from gauntlet.pipeline.cell_record import read_cell
from gauntlet.report.comparison.matching import Comparand
from gauntlet.tracking import names
from gauntlet.tracking.finished import FinishedRun, find_runs, read_run, read_sealed
from gauntlet.tracking.store import open_store


def check(config: CompareConfig) -> None:
    """Check that the runs are there, before there is a run of the comparison.

    Raises:
        UsageError: see `runs_asked_for`.
        TrackingError: the store cannot be reached.
    """
    open_store()
    runs_asked_for(config)


def runs_asked_for(config: CompareConfig) -> list[FinishedRun]:
    """Return the runs that `runs` names or finds; a filter's oldest first.

    Raises:
        UsageError: there is no such run, or fewer than two; one that is neither an attack run nor a
            cell, or is not finished; test images that differ.
    """
    try:
        named = [read_run(run_id) for run_id in config.run_ids]
        runs = named or find_runs(config.runs)
    except UsageError as error:
        raise UsageError(
            f"--runs: expected run ids of 32 hex digits, comma separated, or a filter "
            f"in MLflow's search syntax; {error}"
        ) from None
    if len(runs) < 2:
        raise UsageError(
            f"--runs: expected at least two runs; {config.runs!r} finds {len(runs)}: loosen the "
            "filter, or name runs by their ids."
        )
    for run in runs:
        _check(run)
    _check_data(runs)
    return runs


def _check(run: FinishedRun) -> None:
    step = run.tags.get(names.STEP, "none")
    if step not in ("attack", "cell"):
        raise UsageError(
            f"--runs: expected attack runs or cells of theirs; received {run.label}, whose "
            f"gauntlet.step is {step}: leave it out, or add 'and tags.gauntlet.step = \"attack\"' "
            "to the filter."
        )
    if run.status != "FINISHED":
        raise UsageError(
            f"--runs: expected finished runs; received {run.label}, which is {run.status}: "
            "leave it out, or run it again."
        )


def _check_data(runs: Sequence[FinishedRun]) -> None:
    first = runs[0]
    for run in runs:
        if run.tags.get(names.DATASET_SHA256) != first.tags.get(names.DATASET_SHA256):
            raise UsageError(
                f"--runs: expected runs on the same test images; received {_data(first)} "
                f"and {_data(run)}: compare runs of one data set, test_size and test_first."
            )


def _data(run: FinishedRun) -> str:
    name = run.tags.get(names.DATASET, "unknown")
    digest = run.tags.get(names.DATASET_SHA256, "none")
    return f"{run.label} on {name} (SHA-256 {digest[:8]})"


def comparands_of(run: FinishedRun) -> list[Comparand]:
    """Return a run's defences, each with all of its cells.

    Raises:
        UsageError: something is missing or was changed.
    """
    with complete(run.id):
        whole = read_sealed(run.id)
        is_cell = whole.run.tags[names.STEP] == "cell"
        ids = [run.id] if is_cell else whole.json("cells.json").values()
    cells: dict[str, list[CellResult]] = {}
    for run_id in ids:
        with complete(run_id):
            cell = read_cell(read_sealed(run_id))
        cells.setdefault(cell.defence, []).append(cell)
    known = [name for name in DEFENCES if name in cells]
    defences = (*known, *sorted(cells.keys() - set(known)))
    return [Comparand(run, name, tuple(cells[name])) for name in defences]


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
