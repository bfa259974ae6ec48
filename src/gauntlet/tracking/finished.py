"""Finished runs, read back: what they were given, what they measured, what they left."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from gauntlet.errors import UsageError

CONFIG = "config/"


class FinishedRun(NamedTuple):
    """A run of the store.

    Attributes:
        id, name, status: as the UI shows them.
        config: resolved parameters, without their prefix `config/`.
        tags: all of them.
        metrics: name -> last value.
        minutes: since it began, until it ended or now.
    """

    id: str
    name: str
    status: str
    config: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    minutes: float

    @property
    def label(self) -> str:
        """The name, and as much of the id as tells it from others."""
        return f"{self.name} ({self.id[:8]})"


def read_run(run_id: str) -> FinishedRun:
    """Return a run of the store.

    Raises:
        UsageError: there is none of that id, or it is deleted.
    """
    try:
        run = mlflow.MlflowClient().get_run(run_id)
    except MlflowException:
        run = None
    if run is None or run.info.lifecycle_stage != "active":
        raise UsageError(f"no run {run_id!r} in this store: `make ui` shows the ids.")
    return _read(run)


def find_runs(condition: str) -> list[FinishedRun]:
    """Return the runs that a filter in MLflow's search syntax finds, oldest first.

    Raises:
        UsageError: it is no filter.
    """
    client = mlflow.MlflowClient()
    experiments = [e.experiment_id for e in client.search_experiments()]
    order = ["attributes.start_time ASC"]
    try:
        found = client.search_runs(experiments, condition, max_results=1000, order_by=order)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{condition!r} is no filter of runs: {reason}") from None
    return [_read(run) for run in found]


def _read(run: Run) -> FinishedRun:
    config = {k.removeprefix(CONFIG): v for k, v in run.data.params.items() if k.startswith(CONFIG)}
    end = run.info.end_time or time.time() * 1000
    return FinishedRun(run.info.run_id, run.info.run_name, run.info.status, config, run.data.tags,
                       run.data.metrics, (end - run.info.start_time) / 60_000)  # fmt: skip


def read_curve(run_id: str, metric: str) -> dict[int, float]:
    """Return a metric's values by step; empty: the run has none of that name."""
    found = mlflow.MlflowClient().get_metric_history(run_id, metric)
    return {point.step: point.value for point in found}


def read_artifact(run_id: str, path: str) -> bytes:
    """Return the content of an artifact.

    Raises:
        FileNotFoundError: the run has none there.
    """
    try:
        found = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)
        return Path(found).read_bytes()
    except (MlflowException, OSError):
        raise FileNotFoundError(f"run {run_id} has no artifact {path}") from None


def read_json(run_id: str, path: str) -> Any:
    """Return the content of a JSON artifact."""
    return json.loads(read_artifact(run_id, path))
