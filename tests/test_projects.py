"""The real project through the real `mlflow run`, the way its users start it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from stored import runs_of

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
TINY = "preset=smoke", "epochs=1", "train_size=200", "test_size=60", "widths=16,4"
ATTACKS = "attacks=fgsm,bim", "epsilons=0,0.1", "defence=encoded", "threat_models=white_box,encoded"
QUICK = *TINY, *ATTACKS
CELLS = 2 * 2  # attacks x threat models

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def mlflow_run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `mlflow run` in the checkout, with its store in `folder` and no conda on PATH."""
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "PATH": f"{BIN}:/usr/bin:/bin",
        **more,
    }
    return subprocess.run(
        [BIN / "mlflow", "run", ROOT, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(migrated: Path, tmp_path: Path) -> Path:
    """A folder with an empty store, whose tables are there already."""
    shutil.copy(migrated, tmp_path / "mlflow.db")
    return tmp_path


def parameters(values: tuple[str, ...]) -> list[str]:
    return [word for value in values for word in ("-P", value)]


def runs(folder: Path) -> list[mlflow.entities.Run]:
    return runs_of(mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}"))


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("plain")
    done = mlflow_run(folder, "-e", "attack", *parameters(QUICK))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout + done.stderr


def test_plain_mlflow_run_without_conda(attacked: tuple[Path, str]) -> None:
    folder, output = attacked
    assert output.count("conda not found") == 1
    assert "worst case" in output and "under white_box at epsilon 0.1" in output
    assert {run.info.status for run in runs(folder)} == {"FINISHED"}
    assert not (folder / "mlruns").exists()


def test_the_run_of_mlflow_is_the_parent_of_the_cells(attacked: tuple[Path, str]) -> None:
    found = runs(attacked[0])
    (parent,) = [r for r in found if r.data.tags.get("gauntlet.step") == "attack"]
    assert parent.data.tags["mlflow.project.entryPoint"] == "attack"
    assert parent.data.params["attacks"] == "fgsm,bim"  # as typed
    assert parent.data.params["config/epochs"] == "1"  # as resolved
    cells = [r for r in found if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(cells) == CELLS
    assert {c.info.experiment_id for c in cells} == {parent.info.experiment_id}


def test_the_same_command_again_reuses_every_cell(attacked: tuple[Path, str]) -> None:
    folder, first = attacked
    again = mlflow_run(folder, "-e", "attack", *parameters(QUICK))
    assert f"cells: {CELLS} reused" in again.stdout
    table = [line for line in first.splitlines() if "│" in line]
    assert table and table == [line for line in again.stdout.splitlines() if "│" in line]


@pytest.mark.parametrize("entry_point", ["classifier", "main"])
def test_further_entry_points_with_env_manager_local(entry_point: str, folder: Path) -> None:
    quick = QUICK if entry_point == "main" else TINY
    arguments = ("--env-manager", "local", *parameters(quick))
    done = mlflow_run(folder, "-e", entry_point, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "conda not found" not in done.stdout + done.stderr
    assert {run.info.status for run in runs(folder)} == {"FINISHED"}


def test_study_that_is_made_longer(folder: Path) -> None:
    study = "preset=smoke", "train_size=400", "test_size=60", "space=epochs=2..3 widths=504,28"
    for trials in (1, 2):
        done = mlflow_run(folder, "-e", "tune", *parameters((*study, f"trials={trials}")))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the winner again: mlflow run . -e autoencoder" in done.stdout
    found = runs(folder)
    assert {run.info.status for run in found} == {"FINISHED"}
    (parent,) = [r for r in found if r.data.tags.get("gauntlet.step") == "tune"]
    assert parent.data.tags["mlflow.project.entryPoint"] == "tune"
    trials = [r for r in found if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(r.data.tags["gauntlet.trial"] for r in trials) == ["0", "1"]


def test_env_manager_uv_builds_its_own_environment(folder: Path) -> None:
    done = mlflow_run(
        folder,
        "-e",
        "autoencoder",
        "--env-manager",
        "uv",
        *parameters(TINY),
        MLFLOW_ENV_ROOT=str(folder / "envs"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((folder / "envs").rglob("site-packages/tensorflow"))
    (run,) = [r for r in runs(folder) if r.data.tags.get("gauntlet.step") == "autoencoder"]
    assert run.info.status == "FINISHED"


def test_make_in_a_fresh_clone_in_a_folder_with_a_space(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout to clone")
    clone = tmp_path / "with a space"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    command = ["make", "attack", f"ARGS={' '.join(parameters(QUICK))}"]
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment["PATH"] = f"{Path(shutil.which('python3') or '').parent}:/usr/bin:/bin"
    outputs = []
    for _ in range(2):
        done = subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout + done.stderr)
    assert "pip sync" in outputs[0] and "pip sync" not in outputs[1]
    assert f"cells: {CELLS} reused" in outputs[1]
    assert (clone / "mlflow.db").exists()
