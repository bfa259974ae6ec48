"""What an open run takes: metrics, tags, artifacts, what it was made of; at the end, its seal."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import numpy as np
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    Metric,
    Param,
    RunTag,
)
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS

from gauntlet.arrays import Array
from gauntlet.catalogue.parameters import Json
from gauntlet.errors import DamagedRunError
from gauntlet.masking import mask, mask_values
from gauntlet.tracking import names
from gauntlet.tracking.finished import SEAL_FILE, read_seal, sha256

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 1000
"""Metrics in one `log_batch`: MLflow's limit."""

FLUSH_SECONDS = 1.0
"""What a killed process may lose of its metrics, and how seldom training waits for the store."""


@dataclass
class TrackedRun:
    """An open run: metrics are buffered and written in batches, artifacts at once.

    It remembers what it was given, for its seal (see `gauntlet.tracking.finished`).
    """

    id: str
    experiment_id: str
    _buffer: list[Metric] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)
    _given: dict[str, Json] = field(
        default_factory=lambda: {"artifacts": {}, "tags": {}, "params": {}, "metrics": {}}
    )

    @classmethod
    def of(cls, run_id: str) -> TrackedRun:
        """Return a run of the store."""
        return cls(run_id, mlflow.MlflowClient().get_run(run_id).info.experiment_id)

    def go_on(self) -> None:
        """Take into the next seal what the last one holds, if there is one and the run is whole."""
        with suppress(DamagedRunError):
            sealed = read_seal(self.id)
            curves = {name: dict(curve) for name, curve in sealed["metrics"].items()}
            self._given = {**sealed, "metrics": curves}

    def metrics(self, values: Iterable[tuple[str, float]], step: int = 0) -> None:
        """Log `(name, value)` pairs at one integer step."""
        now = int(time.time() * 1000)
        new = [Metric(name, float(value), now, step) for name, value in values]
        for metric in new:
            self._given["metrics"].setdefault(metric.key, {})[step] = metric.value
        self._buffer += new
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        client = mlflow.MlflowClient()
        for first in range(0, len(self._buffer), BATCH):
            client.log_batch(self.id, metrics=self._buffer[first : first + BATCH])
        self._buffer.clear()
        self._flushed = time.monotonic()

    def describe(self, tags: Mapping[str, str], params: Mapping[str, str]) -> None:
        """Set tags and log parameters in one call."""
        logged_tags, logged_params = log_params(self.id, tags, params)
        self._given["tags"] |= logged_tags
        self._given["params"] |= logged_params

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        self.describe(tags, {})

    def text(self, path: str, content: str) -> None:
        """Store a text artifact."""
        self._store(path, mask(content).encode())

    def json(self, path: str, content: object) -> None:
        """Store a JSON artifact."""
        self.text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")

    def table(self, path: str, columns: Mapping[str, list[str]]) -> None:
        """Store the run's table, which the UI shows as one.

        MLflow's `log_table` would append to that of a run that was opened again.
        """
        self.json(path, {"columns": [*columns], "data": [*zip(*columns.values(), strict=True)]})
        self.tags({MLFLOW_LOGGED_ARTIFACTS: json.dumps([{"path": path, "type": "table"}])})

    def file(self, path: str, content: bytes) -> None:
        """Store a file's content."""
        self._store(path, content)

    def figure(self, path: str, figure: Figure) -> None:
        """Store a figure as PNG."""
        from gauntlet.evaluation.pictures import rendered

        self._store(path, rendered(figure))

    def files(self, paths: Iterable[Path], folder: Path) -> None:
        """Store files of a folder under their paths in it."""
        for path in paths:
            self._store(path.relative_to(folder).as_posix(), path.read_bytes())

    def arrays(self, path: str, **arrays: Array) -> None:
        """Store arrays as a compressed npz without pickles."""
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        self._store(path, file.getvalue())

    def seal(self) -> None:
        """Write down all that the run was given, so that a later change shows."""
        metrics = {name: [*curve.items()] for name, curve in self._given["metrics"].items()}
        content = json.dumps({**self._given, "metrics": metrics}, sort_keys=True).encode()
        self._store(SEAL_FILE, content)
        self.tags({names.SEAL: sha256(content)})

    def _store(self, path: str, content: bytes) -> None:
        folder, _, name = path.rpartition("/")
        with tempfile.TemporaryDirectory(prefix="gauntlet-") as scratch:
            file = Path(scratch, name)
            file.write_bytes(content)
            mlflow.MlflowClient().log_artifact(self.id, str(file), folder or None)
        self._given["artifacts"][path] = sha256(content)

    def uses_data(self, name: str, sha256: str, size: int, context: str) -> None:
        """Link a data set by its own digest; MLflow's sees 10,000 elements only."""
        data = Dataset(
            name,
            sha256[:36],
            "local",
            json.dumps({"name": name, "sha256": sha256}),
            profile=json.dumps({"images": size}),
        )
        tag = InputTag("mlflow.data.context", context)
        mlflow.MlflowClient().log_inputs(self.id, datasets=[DatasetInput(data, [tag])])
        self.tags({names.DATASET: name, names.DATASET_SHA256: sha256})

    def uses_models(self, model_ids: Iterable[str]) -> None:
        """Link the models that this run takes as inputs."""
        inputs = [LoggedModelInput(model_id) for model_id in dict.fromkeys(model_ids)]
        mlflow.MlflowClient().log_inputs(self.id, models=inputs)


def log_params(
    run_id: str, tags: Mapping[str, str], params: Mapping[str, str] | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    """Log tags and parameters in one call; return both as they were logged, without secrets."""
    tags, params = mask_values(tags), mask_values(params or {})
    mlflow.MlflowClient().log_batch(
        run_id,
        params=[Param(name, value) for name, value in params.items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    return tags, params
