"""Models in and out of the store: never a pickle, digests checked first."""

from __future__ import annotations

import hashlib
import tempfile
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import mlflow
import numpy as np
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from gauntlet.errors import DamagedRunError
from gauntlet.tracking import names
from gauntlet.tracking.finished import SealedRun, download, sha256
from gauntlet.tracking.provenance import NUMERIC_PACKAGES, package_versions
from gauntlet.tracking.recording import TrackedRun

if TYPE_CHECKING:  # importing Keras costs seconds; whoever passes a model has paid already
    import keras

KERAS_FILE = "data/model.keras"


class StoredModel(NamedTuple):
    """A model in the store, known by its run; nothing of it is loaded yet."""

    run_id: str
    model_id: str
    file_sha256: str
    weights_sha256: str


def stored_model(run: SealedRun) -> StoredModel:
    """Return the model that a finished training run logged."""
    tags = run.run.tags
    digests = tags[names.MODEL_FILE_SHA256], tags[names.WEIGHTS_SHA256]
    return StoredModel(run.id, tags[names.MODEL_ID], *digests)


def log_model(run: TrackedRun, model: keras.Model, example: NDArray[np.float32]) -> StoredModel:
    """Log a model as `.keras` with signature, input example and pinned requirements.

    Args:
        run: open.
        model: trained.
        example: a few images `(k, height, width, channels)`.
    """
    client = mlflow.MlflowClient()
    model_id = client.create_logged_model(run.experiment_id, "model", run.id).model_id
    with tempfile.TemporaryDirectory() as folder:
        _save(model, example, folder, model_id, run.id)
        file_sha256 = sha256(Path(folder, KERAS_FILE).read_bytes())
        client.log_model_artifacts(model_id, folder)
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    client.log_outputs(run.id, [LoggedModelOutput(model_id, step=0)])
    stored = StoredModel(run.id, model_id, file_sha256, weights_sha256(model))
    run.tags(
        {
            names.MODEL_ID: stored.model_id,
            names.MODEL_FILE_SHA256: stored.file_sha256,
            names.WEIGHTS_SHA256: stored.weights_sha256,
        }
    )
    return stored


def _save(
    model: keras.Model, example: NDArray[np.float32], folder: str, model_id: str, run_id: str
) -> None:
    """Save through MLflow's Keras flavour: `.keras` files, where the TensorFlow one pickles."""
    import keras
    from mlflow.models import Model, infer_signature

    pins = package_versions()
    mlflow.keras.save_model(
        # Without its loss, so that it loads where the project is not installed.
        keras.Model(model.input, model.output, name=model.name),
        folder,
        mlflow_model=Model(model_id=model_id, model_uuid=model_id, run_id=run_id),
        signature=infer_signature(example, np.asarray(model(example))),
        input_example=example,
        pip_requirements=[f"{name}=={pins[name]}" for name in NUMERIC_PACKAGES],
    )


def load_model(stored: StoredModel) -> keras.Model:
    """Load a model after checking the file's digest; Keras's safe mode refuses code in it.

    Its own classes of layers must be registered, that is their module imported.

    Raises:
        DamagedRunError: the file is missing, or not the one that the training run logged.
    """
    try:
        content = model_file(stored)
    except DamagedRunError as error:
        raise DamagedRunError(f"{error}: the same command trains it anew.") from None
    return model_of(content)


@lru_cache(maxsize=6)
def loaded(stored: StoredModel, layers: tuple[str, ...]) -> keras.Model:
    """Load a model whose classes of layers these modules register; the last ones stay in memory."""
    for module in layers:
        import_module(module)
    return load_model(stored)


def model_of(content: bytes) -> keras.Model:
    """Return the model of a `.keras` file's content; Keras's safe mode refuses code in it."""
    import keras

    with tempfile.TemporaryDirectory(prefix="gauntlet-") as folder:
        file = Path(folder, "model.keras")
        file.write_bytes(content)
        return keras.saving.load_model(file, compile=False, safe_mode=True)


def as_file(model: keras.Model) -> bytes:
    """Return a model as the content of a `.keras` file, without its loss."""
    import keras

    with tempfile.TemporaryDirectory(prefix="gauntlet-") as folder:
        file = Path(folder, "model.keras")
        keras.Model(model.input, model.output, name=model.name).save(file)
        return file.read_bytes()


def model_file(stored: StoredModel) -> bytes:
    """Return the content of a model's `.keras` file.

    Raises:
        DamagedRunError: it is missing, or not the one that the training run logged.
    """
    which = f"model {stored.model_id} of run {stored.run_id}"
    try:
        folder = mlflow.MlflowClient().get_logged_model(stored.model_id).artifact_location
    except MlflowException:
        raise DamagedRunError(f"{which} was deleted") from None
    try:
        content = download(folder, KERAS_FILE)
    except OSError:
        raise DamagedRunError(f"the file of {which} is missing") from None
    if sha256(content) != stored.file_sha256:
        raise DamagedRunError(f"the file of {which} was changed (its SHA-256 is another one)")
    return content


def weights_sha256(model: keras.Model) -> str:
    """Return the SHA-256 of all weights: equal for equal trainings, unlike the `.keras` file."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(f"{array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return digest.hexdigest()
