"""Finished runs, read back: what they were given, what they measured, what they left.

A run that finished is sealed: `seal.json` holds the digest of every artifact, the tags, parameters
and metrics that it had, and a tag holds the digest of `seal.json`. Whatever is read back is checked
against it, so an edited, damaged or missing record is never taken for a measurement.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import mlflow
import numpy as np
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from gauntlet.arrays import Array
from gauntlet.catalogue.parameters import Json
from gauntlet.errors import DamagedRunError, UsageError
from gauntlet.tracking import names
from gauntlet.tracking.pages import search

CONFIG = "config/"

SEAL_FILE = "seal.json"
"""The artifact that is the seal."""

Curve = Mapping[int, float]
"""A metric: step -> value."""


class FinishedRun(NamedTuple):
    """A run of the store.

    Attributes:
        id, name, status: as the UI shows them.
        config: resolved parameters, without their prefix `config/`.
        tags: all of them.
        minutes: since it began, until it ended or now.
    """

    id: str
    name: str
    status: str
    config: Mapping[str, str]
    tags: Mapping[str, str]
    minutes: float

    @property
    def label(self) -> str:
        """The name, and as much of the id as tells it from others."""
        return f"{self.name} ({self.id[:8]})"


class SealedRun(NamedTuple):
    """A finished run whose tags and parameters are those that it ended with.

    Attributes:
        run: what the store says of it.
        artifact_uri: the folder of its artifacts.
        digests: path of each artifact -> SHA-256.
        curves: name of each metric -> step -> value.
    """

    run: FinishedRun
    artifact_uri: str
    digests: Mapping[str, str]
    curves: Mapping[str, Curve]

    @property
    def id(self) -> str:
        """The id of the run."""
        return self.run.id

    def artifact(self, path: str) -> bytes:
        """Return the content of an artifact.

        Raises:
            DamagedRunError: it is missing, or is not what the run logged.
        """
        if path not in self.digests:
            raise DamagedRunError(f"run {self.id} logged no artifact {path}")
        try:
            content = download(self.artifact_uri, path)
        except OSError:
            raise DamagedRunError(f"artifact {path} of run {self.id} is missing") from None
        if sha256(content) != self.digests[path]:
            raise DamagedRunError(
                f"artifact {path} of run {self.id} was changed (its SHA-256 is another one)"
            )
        return content

    def json(self, path: str) -> Json:
        """Return the content of a JSON artifact; see `artifact`."""
        found: Json = json.loads(self.artifact(path))
        return found

    def arrays(self, path: str) -> Mapping[str, Array]:
        """Return the arrays of an npz artifact, see `artifact`; pickles inside are refused."""
        with np.load(io.BytesIO(self.artifact(path)), allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def check(self) -> None:
        """Read every artifact.

        Raises:
            DamagedRunError: one is missing, or is not what the run logged.
        """
        for path in self.digests:
            self.artifact(path)


def last(curve: Curve) -> float:
    """Return the value of a metric at its largest step."""
    return curve[max(curve)]


def sha256(content: bytes) -> str:
    """Return the SHA-256 of a file's content as hex digits."""
    return hashlib.sha256(content).hexdigest()


def read_run(run_id: str) -> FinishedRun:
    """Return a run of the store, whatever its state.

    Raises:
        UsageError: there is none of that id, or it is deleted.
    """
    return _described(_get(run_id))


def read_sealed(run_id: str) -> SealedRun:
    """Return a finished run of the store, checked against its seal.

    Raises:
        UsageError: there is none of that id, or it is deleted.
        DamagedRunError: it has no seal, or a tag or parameter is not the sealed one.
    """
    return sealed(_get(run_id))


def read_seal(run_id: str) -> Json:
    """Return what the seal of a finished run holds, checked as by `read_sealed`."""
    return _checked(_get(run_id))


def sealed(run: Run) -> SealedRun:
    """Return a run checked against its seal; see `read_sealed`."""
    content = _checked(run)
    curves = {
        name: {int(step): value for step, value in curve}
        for name, curve in content["metrics"].items()
    }
    return SealedRun(_described(run), run.info.artifact_uri, content["artifacts"], curves)


def _checked(run: Run) -> Json:
    run_id, tags, params = run.info.run_id, run.data.tags, run.data.params
    if names.SEAL not in tags:
        raise DamagedRunError(
            f"run {run_id} has no tag {names.SEAL}: an older version wrote it, or the tag was "
            "deleted"
        )
    content = _seal_of(run)
    for what, then, now in (
        ("tag", content["tags"], tags),
        ("parameter", content["params"], params),
    ):
        for name in then:
            if now.get(name) != then[name]:
                change = "changed" if name in now else "deleted"
                raise DamagedRunError(f"{what} {name} of run {run_id} was {change}")
    return content


def find_runs(condition: str) -> list[FinishedRun]:
    """Return the runs that a filter in MLflow's search syntax finds, oldest first.

    Raises:
        UsageError: it is no filter.
    """
    try:
        return [_described(run) for run in search(condition, "attributes.start_time ASC")]
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{condition!r} is no filter of runs: {reason}") from None


def download(folder: str, path: str) -> bytes:
    """Return the content of a file in an artifact folder of the store.

    Raises:
        FileNotFoundError: there is none, or the store does not give it.
    """
    with tempfile.TemporaryDirectory(prefix="gauntlet-") as scratch:
        try:
            file = mlflow.artifacts.download_artifacts(f"{folder}/{path}", dst_path=scratch)
            return Path(file).read_bytes()
        except (MlflowException, OSError) as error:
            raise FileNotFoundError(f"{folder}/{path}: {error}") from None


def _get(run_id: str) -> Run:
    try:
        run = mlflow.MlflowClient().get_run(run_id)
    except MlflowException:
        run = None
    if run is None or run.info.lifecycle_stage != "active":
        raise UsageError(f"no run {run_id!r} in this store: `make ui` shows the ids.")
    return run


def _described(run: Run) -> FinishedRun:
    config = {k.removeprefix(CONFIG): v for k, v in run.data.params.items() if k.startswith(CONFIG)}
    minutes = ((run.info.end_time or time.time() * 1000) - run.info.start_time) / 60_000
    return FinishedRun(
        run.info.run_id, run.info.run_name, run.info.status, config, run.data.tags, minutes
    )


def _seal_of(run: Run) -> Json:
    run_id = run.info.run_id
    try:
        content = download(run.info.artifact_uri, SEAL_FILE)
    except OSError:
        raise DamagedRunError(f"artifact {SEAL_FILE} of run {run_id} is missing") from None
    if sha256(content) != run.data.tags[names.SEAL]:
        raise DamagedRunError(
            f"artifact {SEAL_FILE} or tag {names.SEAL} of run {run_id} was changed"
        )
    found: Json = json.loads(content)
    return found
