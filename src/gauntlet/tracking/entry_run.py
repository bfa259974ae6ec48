"""The run that `mlflow run` opened for this process: taken over once, and no other run ever."""

from __future__ import annotations

import logging
import os
from contextlib import suppress

import mlflow
from mlflow.exceptions import MlflowException

from gauntlet.errors import TrackingError
from gauntlet.interruption import OPENED_RUN, uninterrupted
from gauntlet.tracking import names
from gauntlet.tracking.recording import log_params

_log = logging.getLogger(__name__)


def take_entry_run_id() -> str | None:
    """Return, once, the id of the run that `mlflow run` opened for this process."""
    run_id, opened = os.environ.pop("MLFLOW_RUN_ID", None), os.environ.pop(OPENED_RUN, None)
    if run_id is None or run_id == opened or _is_waiting(run_id):
        return run_id
    _log.warning(
        "MLFLOW_RUN_ID names the run %s, which this command did not open: it is left alone", run_id
    )
    return None


def _is_waiting(run_id: str) -> bool:
    """Tell whether an MLflow without our launcher opened a run for its child, and nobody took it.

    It tells its child the experiment as well.
    """
    experiment = os.environ.get("MLFLOW_EXPERIMENT_ID")
    if experiment is None:
        return False
    try:
        run = mlflow.MlflowClient().get_run(run_id)
    except MlflowException:
        return False
    return (
        (run.info.status, run.info.experiment_id) == ("RUNNING", experiment)
        and "mlflow.project.entryPoint" in run.data.tags
        and names.STEP not in run.data.tags
    )


def mark_entry_as_reuse(entry_point: str) -> None:
    """Name the run that `mlflow run` opened if nothing had to be computed in it."""
    if run_id := take_entry_run_id():
        name = f"{entry_point}: reused finished runs"
        log_params(run_id, {"mlflow.runName": name, names.STEP: "reuse"})


def end_untaken_entry(status: str) -> None:
    """End the run that `mlflow run` opened if no step took it over; `mlflow run` may be dead."""
    with uninterrupted(), suppress(TrackingError):
        if run_id := take_entry_run_id():
            mlflow.MlflowClient().set_terminated(run_id, status)
