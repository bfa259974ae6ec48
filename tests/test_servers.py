"""One small attack run, unchanged, on SQLite, on an MLflow server and on one over PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import numpy as np
import pytest
from conftest import Attacked
from mlflow.entities import Run
from servers import PASSWORD, mlflow_server, tracking_to
from stored import load_arrays, runs_of

from gauntlet.config.command_line import typed
from gauntlet.config.data import RunConfig
from gauntlet.entry_points import attack
from gauntlet.errors import TrackingError
from gauntlet.tracking import names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Finished(NamedTuple):
    """An attack run through the command line: the store, and what was said twice."""

    uri: str
    said: str
    said_again: str


CELLS = 3
"""Pairs of defence and threat model that `FEW` attacks."""

FEW = {"attacks": "fgsm", "defence": "none,encoded", "threat_models": "white_box,encoded"}


@pytest.fixture(scope="module")
def direct(new_store, tiny, tmp_path_factory) -> Attacked:
    """The attack run without a server."""
    uri, config = new_store(), tiny("attack", **FEW)
    with tracking_to(uri, tmp_path_factory.mktemp("direct")):
        return Attacked(uri, config, attack.run(config), "")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request, direct, migrated, tmp_path_factory) -> Iterator[Finished]:
    """The same attack run on a server over each database."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "postgresql":
        backend = request.getfixturevalue("cluster")
    else:
        backend = f"sqlite:///{shutil.copy(migrated, folder)}"
    with mlflow_server(backend, folder) as uri:
        said = [_attack(direct.config, uri, folder) for _ in range(2)]
        yield Finished(uri, *said)


def _attack(config: RunConfig, uri: str, folder: Path) -> str:
    flags = [f"--{name}={value}" for name, value in typed(config).items()]
    keep = {k: v for k, v in os.environ.items() if "MLFLOW_" not in k}
    done = subprocess.run(
        [sys.executable, "-m", "gauntlet", "attack", *flags],
        cwd=folder,
        text=True,
        env=keep | {"MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def expected(direct, tmp_path_factory) -> dict[str, Any]:
    with tracking_to(direct.uri, tmp_path_factory.mktemp("looked at")) as client:
        return _snapshot(client)


@pytest.fixture(scope="module")
def found(served, tmp_path_factory) -> dict[str, Any]:
    with tracking_to(served.uri, tmp_path_factory.mktemp("served")) as client:
        return _snapshot(client)


def _snapshot(client: mlflow.MlflowClient) -> dict[str, Any]:
    """Return all that the first attack run of a store left, by run name."""
    runs = runs_of(client)
    parent = min((r for r in runs if _step(r) == "attack"), key=lambda r: r.info.start_time)
    models = {v for k, v in parent.data.tags.items() if k.startswith("gauntlet.input.")}
    own = {parent.info.run_id, *models}
    mine = [r for r in runs if r.info.run_id in own or _parent(r) in own]
    names = {run.info.run_id: run.info.run_name for run in mine}
    return {run.info.run_name: _contents(client, run, names) for run in mine}


def _step(run: Run) -> str | None:
    return run.data.tags.get("gauntlet.step")


def _parent(run: Run) -> str:
    return run.data.tags.get("mlflow.parentRunId", "")


def _contents(client: mlflow.MlflowClient, run: Run, names: dict[str, str]) -> dict[str, Any]:
    histories = {
        name: client.get_metric_history(run.info.run_id, name)
        for name in run.data.metrics
        if not name.startswith("system/")
    }
    return {
        "experiment": client.get_experiment(run.info.experiment_id).name,
        "status": run.info.status,
        "parent": names.get(_parent(run)),
        "params": run.data.params,
        "tags": {k: v for k, v in run.data.tags.items() if _is_fixed(k)},
        "metrics": {k: sorted((m.step, m.value) for m in h) for k, h in histories.items()},
        "data": [(d.dataset.name, d.dataset.digest) for d in run.inputs.dataset_inputs],
        "artifacts": sorted(_artifacts(client, run.info.run_id)),
    }


def _is_fixed(tag: str) -> bool:
    """Tell whether a tag is ours and holds no id, which is new each time."""
    return tag.startswith("gauntlet.") and not (
        tag.startswith("gauntlet.input.")
        or tag in (names.MODEL_ID, names.MODEL_FILE_SHA256, names.SEAL)
    )


def _artifacts(client: mlflow.MlflowClient, run_id: str, folder: str = "") -> Iterator[str]:
    for item in client.list_artifacts(run_id, folder):
        yield item.path
        if item.is_dir:
            yield from _artifacts(client, run_id, item.path)


def test_same_runs_as_without_a_server(found, expected):
    # The attack run, its models, what each of these is worth on test images, its cells.
    assert len(expected) == 1 + 3 + 3 + CELLS
    assert found.keys() == expected.keys()


@pytest.mark.parametrize(
    "what", ["experiment", "status", "parent", "params", "tags", "metrics", "data", "artifacts"]
)
def test_runs_are_the_same_as_without_a_server(found, expected, what):
    assert {n: run[what] for n, run in found.items()} == {n: r[what] for n, r in expected.items()}


def test_snapshot_is_not_empty(expected):
    cell = expected["fgsm, defence encoded, threat model white_box"]
    assert [step for step, _ in cell["metrics"]["adv/accuracy"]] == [0, 100, 300]
    assert cell["parent"] == "vanilla + dense digits seed 0"
    assert "examples.npz" in cell["artifacts"]
    assert "gauntlet.fingerprint" in cell["tags"]


def test_examples_come_back_through_the_server(served, direct, tmp_path):
    by_name = {
        f"{c.attack}, defence {c.defence}, threat model {c.threat_model}": c
        for row in direct.summary.rows
        for c in row.cells
    }
    with tracking_to(served.uri, tmp_path) as client:
        cells = [run for run in runs_of(client) if _step(run) == "cell"]
        for run in cells:
            arrays = load_arrays(run.info.run_id, "examples.npz")
            assert np.array_equal(arrays["attacked"], by_name[run.info.run_name].attacked)
    assert len(cells) == len(by_name)


def test_no_run_stays_open(served, tmp_path):
    with tracking_to(served.uri, tmp_path) as client:
        assert {run.info.status for run in runs_of(client)} == {"FINISHED"}


def test_second_run_reuses_every_cell(served):
    assert f"cells: {CELLS} computed because: no finished run of it yet" in served.said
    assert f"cells: {CELLS} reused" in served.said_again and "computed" not in served.said_again


def test_user_is_sent_to_the_server(served):
    assert f"open {served.uri} in a browser" in served.said


def test_artifacts_lie_with_the_server(served, tmp_path):
    with tracking_to(served.uri, tmp_path) as client:
        assert client.get_experiment_by_name("attacks").artifact_location.startswith(
            "mlflow-artifacts:/"
        )
    assert list(tmp_path.iterdir()) == []


def test_wrong_password_is_said_at_once_and_not_shown(cluster, monkeypatch, tmp_path, capfd):
    uri = cluster.replace(PASSWORD, "wrong-secret")
    start = time.monotonic()
    refused = pytest.raises(TrackingError, match=r"cannot be used: .*authentication failed")
    with refused as error, tracking_to(uri, tmp_path):
        pytest.fail("it opened")
    assert time.monotonic() - start < 10
    said = str(error.value) + "".join(capfd.readouterr())
    assert "wrong-secret" not in said and str(error.value).count("\n") == 0
