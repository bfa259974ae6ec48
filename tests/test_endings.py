"""Which runs a command takes over or ends: its own, and those of processes that are dead."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import mlflow
import pytest
from servers import tracking_to, wait_until
from stored import runs_of

from gauntlet.interruption import OPENED_RUN
from gauntlet.pipeline.session import session
from gauntlet.tracking.runs import tracked_run

STARTS_WITHIN = 120


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAUNTLET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _uri() -> str:
    return os.environ["MLFLOW_TRACKING_URI"]


def _statuses(client: mlflow.MlflowClient) -> list[str]:
    return [run.info.status for run in runs_of(client)]


def _open(tiny, **how):
    return tracked_run("attacks", "a name", tiny("autoencoder").as_json(), tags={}, **how)


# --- MLFLOW_RUN_ID of another run ---


@pytest.mark.parametrize("status", ["FINISHED", "RUNNING", None], ids=str)
def test_run_id_that_was_exported_is_left_alone(store, tiny, monkeypatch, caplog, status):
    run_id = "0" * 32
    if status:
        run_id = store.create_run("0").info.run_id
        store.update_run(run_id, status=status)
    before = store.get_run(run_id).to_dictionary() if status else None
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with session("attack"), _open(tiny, entry=True) as run:
        assert run.id != run_id
    assert not status or store.get_run(run_id).to_dictionary() == before
    assert store.get_run(run.id).info.status == "FINISHED"
    assert f"MLFLOW_RUN_ID names the run {run_id}" in caplog.text


def test_run_of_an_mlflow_without_our_launcher_is_taken_over(store, tiny, monkeypatch):
    opened = store.create_run("0", tags={"mlflow.project.entryPoint": "attack"}).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", opened)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    with _open(tiny, entry=True) as run:
        assert run.id == opened


# --- kill -9 ---

TWO_RUNS = """
import os, time
from gauntlet.config.command_line import parse
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.store import open_store

open_store()
config = parse("autoencoder", {}).as_json()
with tracked_run("attacks", "parent", config, tags={}, entry=True) as parent:
    with tracked_run("attacks", "child", config, tags={}, parent=parent):
        time.sleep(300)
"""


@pytest.fixture
def two_runs(store, start, cache) -> subprocess.Popen[str]:
    """A process with a run and a nested one open, the outer one opened by a launch."""
    opened = store.create_run("0").info.run_id
    process = start(
        "python", "-c", TWO_RUNS, uri=_uri(), MLFLOW_RUN_ID=opened, **{OPENED_RUN: opened}
    )
    wait_until(lambda: len(runs_of(store)) == 2, process, STARTS_WITHIN)
    wait_until(lambda: len(list(cache.glob("open_runs/*[0-9]"))) == 2, process, STARTS_WITHIN)
    return process


def test_runs_of_a_killed_process_are_ended_by_the_next(store, two_runs, cache):
    two_runs.kill()
    two_runs.wait(10)
    assert _statuses(store) == ["RUNNING"] * 2
    with session("attack"):
        assert _statuses(store) == ["KILLED"] * 2
    assert not list(cache.glob("open_runs/*"))


def test_runs_of_a_living_process_are_not_ended(store, two_runs):
    with session("attack"):
        assert _statuses(store) == ["RUNNING"] * 2


def test_runs_of_another_machine_are_not_ended(store, two_runs, monkeypatch):
    two_runs.kill()
    two_runs.wait(10)
    monkeypatch.setattr("gauntlet.tracking.living._machine", lambda: ("another", "machine"))
    with session("attack"):
        assert _statuses(store) == ["RUNNING"] * 2


def test_runs_of_another_store_are_not_touched(two_runs, new_store, tmp_path, cache):
    two_runs.kill()
    two_runs.wait(10)
    kept = set(cache.glob("open_runs/*"))
    with tracking_to(new_store(), tmp_path), session("attack"):
        assert set(cache.glob("open_runs/*")) == kept
