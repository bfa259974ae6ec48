"""One experiment per purpose, its artifacts in one absolute place."""

from __future__ import annotations

from typing import Any

from gauntlet.errors import TrackingError
from gauntlet.tracking.store import artifact_location

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Opens the UI on runs and metrics, where it would guess traces and prompts."""


def experiment_id(name: str) -> str:
    """Return the id of an experiment of the store in use; create it if it is not there.

    Raises:
        TrackingError: the experiment is deleted, or the store refuses it.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    try:
        found = client.get_experiment_by_name(name) or _create(client, name)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise TrackingError(f"the experiment '{name}' cannot be used: {reason}") from None
    if found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the experiment '{name}' is deleted: choose another, or restore it with "
            f"`mlflow experiments restore -x {found.experiment_id}`."
        )
    return str(found.experiment_id)


def _create(client: Any, name: str) -> Any:
    from mlflow.exceptions import MlflowException

    # MLflow's own artifact folder depends on the working directory; this one does not.
    location = artifact_location(client.tracking_uri, name)
    try:
        created = client.create_experiment(name, artifact_location=location, tags=KIND)
        return client.get_experiment(created)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return client.get_experiment_by_name(name)  # another process was faster
