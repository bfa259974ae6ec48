"""`mlflow run` on this project and on others: what is checked, chosen and left alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import mlflow
import psutil
import pytest
from mlflow.exceptions import MlflowException
from stored import runs_of

from gauntlet.errors import TrackingError
from gauntlet.tracking import experiments

# MLflow 3.17 on SQLAlchemy 2.1.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``")

BIN = Path(sys.executable).parent
ENTRY_POINTS = ("autoencoder", "classifier", "attack", "main")
TOUCHED = (
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "PGCONNECT_TIMEOUT",
)
CHOSEN = ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_CONDA_HOME", "MLFLOW_RUN_ID")

# Says which Python it is and where the store is, then waits if it is told to.
CHILD = """
import os, pathlib, sys, time
pathlib.Path("python").write_text(sys.executable)
pathlib.Path("store").write_text(os.environ["MLFLOW_TRACKING_URI"])
pathlib.Path("pid.part").write_text(str(os.getpid()))
os.rename("pid.part", "pid")
time.sleep(float(os.environ.get("CHILD_SECONDS", 0)))
"""


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    database = tmp_path_factory.mktemp("store") / "mlflow.db"
    with contextlib.chdir(database.parent):  # MLflow makes a folder mlruns where it stands
        mlflow.MlflowClient(f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture
def client(empty_store, tmp_path, monkeypatch) -> Iterator[mlflow.MlflowClient]:
    """A client of a store of its own, which is the one that MLflow uses."""
    uri = f"sqlite:///{shutil.copy(empty_store, tmp_path / 'mlflow.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    for name in TOUCHED:
        monkeypatch.setenv(name, "false" if name.endswith("DESERIALIZATION") else "5")
    for name in CHOSEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", _path_without("conda"))
    mlflow.set_tracking_uri(uri)
    yield mlflow.MlflowClient(uri)
    mlflow.set_tracking_uri(None)


@pytest.fixture
def project(tmp_path) -> Callable[..., str]:
    def make(name: str = "gauntlet") -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "child.py").write_text(CHILD)
        (folder / "conda.yaml").write_text("dependencies: [python=3.11]\n")
        entry = '{command: PYTHONPATH="$PWD/src" python child.py}'
        lines = [f"name: {name}", "conda_env: conda.yaml", "entry_points:"]
        (folder / "MLproject").write_text(
            "\n".join([*lines, *(f"  {e}: {entry}" for e in ENTRY_POINTS)])
        )
        return str(folder)

    return make


def _path_without(program: str) -> str:
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(f for f in folders if not (Path(f) / program).exists())


def _runs(client: mlflow.MlflowClient) -> list[tuple[str, str]]:
    """Return (experiment, status) of every run."""
    names = {e.experiment_id: e.name for e in client.search_experiments()}
    return [(names[r.info.experiment_id], r.info.status) for r in runs_of(client)]


def test_runs_in_this_environment_where_there_is_no_conda(client, project, capsys, tmp_path):
    folder = project()
    mlflow.projects.run(folder, "attack", parameters={"seed": 1})
    assert _runs(client) == [("attacks", "FINISHED")]
    assert capsys.readouterr().err.count(f"conda not found: running in {sys.prefix}") == 1
    # Also if `mlflow` was called by its path and another Python stands first on PATH.
    assert Path(folder, "python").read_text() == sys.executable
    experiment = client.get_experiment_by_name("attacks")
    assert experiment.artifact_location == (tmp_path / "mlartifacts" / "attacks").as_uri()


@pytest.mark.parametrize(
    ("entry_point", "parameters", "said"),
    [
        ("attack", {"epsilon": "0.1"}, "Did you mean 'epsilons'?"),
        ("attack", {"epsilons": "0,2"}, "expected values in [0, 1]"),
        ("atack", {}, "Did you mean 'attack'?"),
        ("child.py", {}, "unknown entry point 'child.py'"),
        ("attack", {"dataset": "npz:none.npz"}, "expected an npz file, found no file"),
        ("classifier", {"preset": "smoke", "test_size": "9999"}, "--test_size: expected 1 to 297"),
        ("compare", {}, "--runs: expected a value"),
        ("compare", {"runs": "tags.x = 'y'"}, "expected at least two runs"),
    ],
)
def test_mistake_is_found_before_a_run_exists(
    client, project, capsys, entry_point, parameters, said
):
    with pytest.raises(SystemExit) as stopped:
        mlflow.projects.run(project(), entry_point, parameters=parameters)
    err = capsys.readouterr().err
    assert stopped.value.code == 2 and said in err
    assert err.startswith("error: ") and err.count("\n") == 1
    assert _runs(client) == []


def test_other_projects_run_as_ever(client, project, capsys, monkeypatch):
    monkeypatch.setenv("PATH", os.environ["PATH"] + os.pathsep + str(BIN))
    before = dict(os.environ)
    mlflow.projects.run(
        project("other"), "attack", parameters={"epsilon": "2"}, env_manager="local"
    )
    assert _runs(client) == [("Default", "FINISHED")]
    assert "error: " not in capsys.readouterr().err and dict(os.environ) == before


def test_conda_is_used_where_it_is_and_its_failure_ends_the_run(
    client, project, tmp_path, monkeypatch, capfd
):
    conda = tmp_path / "bin" / "conda"
    conda.parent.mkdir()
    conda.write_text(f"#!/bin/sh\ntouch '{tmp_path}/called'\nexit 1\n")
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{conda.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(Exception, match="conda"):
        mlflow.projects.run(project(), "attack")
    assert (tmp_path / "called").exists()
    assert "conda not found" not in capfd.readouterr().err
    # MLflow alone would leave it RUNNING for ever.
    assert _runs(client) == [("attacks", "FAILED")]


@pytest.mark.parametrize(
    ("argument", "environment", "expected"),
    [(None, None, "classifiers"), ("mine", "theirs", "mine"), (None, "theirs", "theirs")],
)
def test_experiment_is_the_one_asked_for_or_the_purpose(
    client, project, monkeypatch, argument, environment, expected
):
    if environment:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", environment)
    folder = project()
    mlflow.projects.run(folder, "classifier", experiment_name=argument)
    assert _runs(client) == [(expected, "FINISHED")]


def test_experiment_by_id_stays(client, project):
    number = client.create_experiment("mine")
    mlflow.projects.run(project(), "attack", experiment_id=number)
    assert _runs(client) == [("mine", "FINISHED")]


def test_experiment_created_by_another_process_meanwhile(client, monkeypatch):
    number = client.create_experiment("attacks")
    get, answers = mlflow.MlflowClient.get_experiment_by_name, iter([None])
    monkeypatch.setattr(
        mlflow.MlflowClient, "get_experiment_by_name", lambda c, n: next(answers, get(c, n))
    )
    assert experiments.experiment_id("attacks") == number


def test_deleted_or_refused_experiment_is_one_sentence(client, monkeypatch):
    client.delete_experiment(client.create_experiment("attacks"))
    with pytest.raises(TrackingError, match=r"is deleted.*restore"):
        experiments.experiment_id("attacks")

    def refuse(*args):
        raise MlflowException("no\nway")

    monkeypatch.setattr(
        mlflow, "MlflowClient", lambda: SimpleNamespace(get_experiment_by_name=refuse)
    )
    with pytest.raises(TrackingError, match=r"'attacks' cannot be used: no$"):
        experiments.experiment_id("attacks")


def test_plugin_is_registered_light_and_alone_importable():
    script = (
        "import sys, gauntlet.tracking.launcher\n"
        "assert not {'mlflow', 'pydantic', 'yaml', 'numpy'} & set(sys.modules)\n"
        "import mlflow.projects\n"
        "from mlflow.tracking.context.registry import _run_context_provider_registry as known\n"
        "assert 'LauncherContext' in [type(p).__name__ for p in known]\n"
        "assert mlflow.run is mlflow.projects.run and mlflow.run.__wrapped__\n"
        "assert not {'tensorflow', 'gauntlet.config.base'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", script], check=True)


def _start(folder: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `mlflow run` as a user does who calls it by its path, from another folder."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    keep |= {"PATH": _path_without("conda"), **environment}
    return subprocess.Popen(
        [BIN / "mlflow", "run", folder, *arguments],
        cwd=Path(folder).parent,
        env=keep,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("send", "number"),
    [(os.kill, signal.SIGTERM), (os.kill, signal.SIGINT), (os.killpg, signal.SIGINT)],
    ids=["SIGTERM", "SIGINT", "Ctrl-C"],  # a terminal sends Ctrl-C to the child as well
)
def test_signal_leaves_no_process_and_no_running_run(client, project, send, number):
    folder = Path(project())
    uri = os.environ["MLFLOW_TRACKING_URI"]
    process = _start(str(folder), "-e", "attack", MLFLOW_TRACKING_URI=uri, CHILD_SECONDS="300")
    _wait_for(folder / "pid")
    child = int((folder / "pid").read_text())
    send(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode not in (0, -signal.SIGTERM), err
    assert not psutil.pid_exists(child)
    assert _runs(client) == [("attacks", "KILLED")]


@pytest.mark.slow
def test_mistake_ends_the_command_with_2(client, project):
    process = _start(project(), "-e", "attack", "-P", "seed=-1")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.count("\n")) == (2, "", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "postgresql+psycopg://u:secret@127.0.0.1:9/d"]
)
def test_unreachable_server_is_reported_at_once(project, tmp_path, uri):
    start = time.monotonic()
    process = _start(project(), "-e", "attack", MLFLOW_TRACKING_URI=uri)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1 and time.monotonic() - start < 15
    assert err.startswith("error: the tracking server") and err.count("\n") == 1
    assert "secret" not in err
    assert not list(tmp_path.rglob("*.db"))


@pytest.mark.slow
def test_two_at_once_on_a_fresh_database(project, tmp_path):
    # Relative, as a user writes it: the child works in another folder.
    folder, uri = project(), "sqlite:///fresh.db"
    both = [_start(folder, "-e", "attack", MLFLOW_TRACKING_URI=uri) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    database = f"sqlite:///{tmp_path / 'fresh.db'}"
    assert Path(folder, "store").read_text() == database
    assert _runs(mlflow.MlflowClient(database)) == [("attacks", "FINISHED")] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signal_to_the_child_alone_leaves_its_run_killed(client, project, number):
    folder = Path(project())
    uri = os.environ["MLFLOW_TRACKING_URI"]
    process = _start(str(folder), "-e", "attack", MLFLOW_TRACKING_URI=uri, CHILD_SECONDS="300")
    _wait_for(folder / "pid")
    os.kill(int((folder / "pid").read_text()), number)
    process.communicate(timeout=60)
    assert _runs(client) == [("attacks", "KILLED")]
