"""What finished runs left, by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mlflow
from mlflow.entities import Run

from gauntlet.tracking import artifacts
from gauntlet.tracking.artifacts import StoredModel
from gauntlet.tracking.finished import read_sealed


def stored_model(run_id: str) -> StoredModel:
    """The model that a training run logged."""
    return artifacts.stored_model(read_sealed(run_id))


def load_arrays(run_id: str, name: str) -> Mapping[str, Any]:
    """The arrays of an npz artifact."""
    return read_sealed(run_id).arrays(name)


def runs_of(client: mlflow.MlflowClient, condition: str = "") -> list[Run]:
    """All runs of a store that fulfil a condition, the newest first."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, condition))


def examination_of(client: mlflow.MlflowClient, run_id: str) -> Run:
    """The run that measured a training on test images."""
    (found,) = runs_of(client, f"tags.`gauntlet.input.model` = '{run_id}'")
    return found
