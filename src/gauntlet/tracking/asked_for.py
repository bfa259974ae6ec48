"""The runs that a comparison is asked for, checked before there is a run of its own."""

from __future__ import annotations

from collections.abc import Sequence

from gauntlet.config.compare import CompareConfig
from gauntlet.errors import UsageError
from gauntlet.tracking.finished import FinishedRun, find_runs, read_run

DATA = "gauntlet.dataset_sha256"


def runs_asked_for(config: CompareConfig) -> list[FinishedRun]:
    """Return the runs that `runs` names or finds; a filter's oldest first.

    Raises:
        UsageError: there is no such run, or fewer than two; one that is neither an attack run nor a
            cell, or is not finished; data sets that differ.
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
    step = run.tags.get("gauntlet.step", "none")
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
        if run.tags.get(DATA) != first.tags.get(DATA):
            raise UsageError(
                f"--runs: expected runs on the same data; received {_data(first)} and "
                f"{_data(run)}: compare runs of one data set, train_size and test_size."
            )


def _data(run: FinishedRun) -> str:
    name, digest = run.tags.get("gauntlet.dataset", "unknown"), run.tags.get(DATA, "none")
    return f"{run.label} on {name} (SHA-256 {digest[:8]})"
