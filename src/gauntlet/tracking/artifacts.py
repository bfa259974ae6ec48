"""Arrays and models in and out of the artifact store: never a pickle, digests checked first."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import mlflow
import numpy as np
from numpy.typing import NDArray

from gauntlet.errors import TrackingError
from gauntlet.tracking.provenance import NUMERIC_PACKAGES, package_versions

if TYPE_CHECKING:  # importing Keras costs seconds; whoever passes a model has paid already
    import keras

MODEL_ID = "gauntlet.model_id"
FILE_SHA256 = "gauntlet.model_file_sha256"
WEIGHTS_SHA256 = "gauntlet.weights_sha256"


class StoredModel(NamedTuple):
    """A model in the store, known by its run; nothing of it is loaded yet."""

    run_id: str
    model_id: str
    file_sha256: str
    weights_sha256: str


def stored_model(run_id: str) -> StoredModel:
    """Return the model that a finished training run logged."""
    tags = mlflow.MlflowClient().get_run(run_id).data.tags
    return StoredModel(run_id, tags[MODEL_ID], tags[FILE_SHA256], tags[WEIGHTS_SHA256])


def log_model(run_id: str, model: keras.Model, example: NDArray[np.float32]) -> StoredModel:
    """Log a model as `.keras` with signature, input example and pinned requirements.

    Args:
        run_id: of an open run.
        model: trained.
        example: a few images `(k, height, width, channels)`.
    """
    import keras
    from mlflow.models import Model, infer_signature

    pins = package_versions()
    # Not `mlflow.keras.log_model`: that wants the run to be the active one, and ends it. The model
    # is logged without its loss, so that it loads where the project is not installed.
    info = Model.log(
        None,
        _KerasFlavor,
        name="model",
        run_id=run_id,
        model=keras.Model(model.inputs, model.outputs, name=model.name),
        signature=infer_signature(example, np.asarray(model(example))),
        input_example=example,
        pip_requirements=[f"{name}=={pins[name]}" for name in NUMERIC_PACKAGES],
    )
    file = _download(info.model_id)
    stored = StoredModel(run_id, info.model_id, _sha256(file.read_bytes()), weights_sha256(model))
    tags = {MODEL_ID: stored.model_id, FILE_SHA256: stored.file_sha256,
            WEIGHTS_SHA256: stored.weights_sha256}  # fmt: skip
    for name, value in tags.items():
        mlflow.MlflowClient().set_tag(run_id, name, value)
    return stored


class _KerasFlavor:
    """MLflow's Keras flavour: `.keras` files, where `mlflow.tensorflow` adds a pickle."""

    @staticmethod
    def save_model(*, path: str, **kwargs: Any) -> None:
        Path(path).mkdir(parents=True)  # MLflow 3.17 writes the input example before making it
        mlflow.keras.save_model(path=path, **kwargs)


def load_model(stored: StoredModel) -> keras.Model:
    """Load a model after checking the file's digest; Keras's safe mode refuses code in it.

    Raises:
        TrackingError: the file is not the one that the training run logged.
    """
    import keras

    file = _download(stored.model_id)
    if _sha256(file.read_bytes()) != stored.file_sha256:
        raise TrackingError(
            f"model {stored.model_id} of run {stored.run_id} is not the file that was logged "
            "(SHA-256 differs): delete the run and train again."
        )
    return keras.saving.load_model(file, compile=False, safe_mode=True)


def load_arrays(run_id: str, name: str) -> Mapping[str, NDArray[Any]]:
    """Load an npz artifact of a run; pickles inside are refused."""
    path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=name)
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


@contextmanager
def npz_bytes(name: str, arrays: Mapping[str, NDArray[Any]]) -> Iterator[Path]:
    """Write arrays to a temporary compressed npz of that name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        np.savez_compressed(path, **dict(arrays))  # type: ignore[arg-type]
        yield path


def weights_sha256(model: keras.Model) -> str:
    """Return the SHA-256 of all weights: equal for equal trainings, unlike the `.keras` file."""
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(f"{array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return digest.hexdigest()


def _download(model_id: str) -> Path:
    folder = mlflow.MlflowClient().get_logged_model(model_id).artifact_location
    return Path(mlflow.artifacts.download_artifacts(f"{folder}/data/model.keras"))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
