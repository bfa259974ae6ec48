"""Relative paths mean what they mean where the user stands, through `mlflow run` too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from stored import runs_of

from gauntlet.__main__ import main
from gauntlet.config.command_line import parse
from gauntlet.pipeline.inputs import load_data
from gauntlet.tracking.launcher import STANDING
from tuning.study import storage_url

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a data set in it."""
    images, labels = np.zeros((60, 8, 8), np.uint8), np.arange(60) % 3
    here = tmp_path / "here"
    here.mkdir()
    np.savez(here / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return here


def test_a_process_of_mlflow_run_stands_where_its_user_does(
    store, folder: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv(STANDING, str(folder))
    # Refused, after it has gone there: no run, nothing computed.
    assert main(["compare", "--runs", "no filter", "--output", "own.npz"]) == 2
    assert Path.cwd() == folder and STANDING not in os.environ
    assert len(load_data(parse("autoencoder", {"dataset": "npz:own.npz"})).x_test) == 60
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_is_missing_is_named_with_its_folder(folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(Exception, match=f"npz:no.npz: .* check the path {folder}/no.npz"):
        load_data(parse("autoencoder", {"dataset": "npz:no.npz"}))


def test_a_storage_has_one_name_wherever_it_is_named_from(folder: Path, monkeypatch) -> None:
    urls = []
    for where, name in ((folder, "x.db"), (folder.parent, "here/x.db"), (ROOT, folder / "x.db")):
        monkeypatch.chdir(where)
        urls.append(storage_url(parse("tune", {"storage": f"sqlite:///{name}"})))
    assert urls == [f"sqlite:///{folder}/x.db"] * 3


@pytest.mark.slow
def test_mlflow_run_from_another_folder(folder: Path) -> None:
    values = (
        "preset=smoke",
        "dataset=npz:own.npz",
        "train_size=all",
        "test_size=all",
        "epochs=1",
        "widths=8,4",
    )
    keep = {k: v for k, v in os.environ.items() if "MLFLOW_" not in k}
    done = subprocess.run(
        [
            Path(sys.executable).parent / "mlflow",
            "run",
            ROOT,
            "-e",
            "autoencoder",
            "--env-manager",
            "local",
            *(word for value in values for word in ("-P", value)),
        ],
        env=keep | {"MLFLOW_TRACKING_URI": "sqlite:///runs.db", "GAUNTLET_CACHE": "cache"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'runs.db'}")
    runs = runs_of(client)
    # The training, and what it is worth on test images.
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert (folder / "cache").is_dir()
    assert not (ROOT / "runs.db").exists() and not (ROOT / "cache").exists()
