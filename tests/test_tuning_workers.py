"""Worker processes of studies: shared studies, kills, the death of the command, interruptions."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import psutil
import pytest
from optuna.trial import TrialState
from servers import tracking_to, wait_until
from studies import study_command, study_config, study_runs

from tuning import tune
from tuning.study import counts, open_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[1]


@pytest.fixture
def begin(start) -> Callable[..., subprocess.Popen[str]]:
    """Start a study of some parameters in the store of this process."""
    return lambda **values: start(*study_command(**values), uri=mlflow.get_tracking_uri())


def test_workers_share_a_study(store, cluster) -> None:
    """On PostgreSQL; below, two processes share one on SQLite."""
    config = study_config(trials="4", workers="2", space="epochs=2..4", storage=cluster)
    tune.run(config)
    children = study_runs(store)[1]
    trials = open_study(config)[0].trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    numbers = sorted(int(run.data.tags["gauntlet.trial"]) for run in children)
    seeds = {run.data.tags["gauntlet.seed"] for run in children}
    assert numbers == list(range(4)) and len(seeds) == 4
    assert {run.info.status for run in children} == {"FINISHED"}


TWO = {"trials": "2", "space": "epochs=20..30 widths=504,28"}


def _results(values: dict[str, str]) -> list[tuple[Any, ...]]:
    """Return what the trials of a study found."""
    trials = open_study(study_config(**values))[0].trials
    return [(t.number, t.params, t.values, t.intermediate_values) for t in trials]


@pytest.fixture(scope="module")
def whole(new_store, tmp_path_factory) -> list[tuple[Any, ...]]:
    """The results of a study of two trials that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    values = TWO | {"storage": f"sqlite:///{folder}/whole.db", "study_name": "whole"}
    with tracking_to(new_store(), folder):
        tune.run(study_config(**values))
        return _results(values)


@pytest.mark.parametrize("moment", ["early", "late"])
def test_killed_worker_and_the_same_command_again(
    store, begin, whole, tmp_path, moment: str
) -> None:
    cut = TWO | {"storage": f"sqlite:///{tmp_path}/cut.db", "study_name": "cut"}
    process, study = begin(**cut), None

    def begun() -> bool:
        nonlocal study
        if not Path(tmp_path, "cut.db").exists():
            return False
        study = study or open_study(study_config(**cut))[0]
        found = study.get_trials(states=(TrialState.RUNNING,))
        late = any(len(trial.intermediate_values) > 5 for trial in found)
        return late if moment == "late" else bool(found)

    wait_until(begun, process, 120)
    for worker in psutil.Process(process.pid).children():
        os.kill(worker.pid, signal.SIGKILL)
    said = "".join(process.communicate(timeout=120))
    assert process.returncode == 1 and "the same command goes on" in said
    done = subprocess.run(
        study_command(**cut), cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "goes on in run" in done.stdout
    assert _results(cut) == whole
    experiment = store.get_experiment_by_name("studies").experiment_id
    assert not store.search_runs([experiment], "attributes.status = 'RUNNING'")


def test_second_process_helps_and_leaves_the_report_to_the_first(store, begin, tmp_path) -> None:
    values = {
        "trials": "3",
        "space": "epochs=60..80",
        "storage": f"sqlite:///{tmp_path}/studies.db",
    }
    first = begin(**values)
    config = study_config(**values)
    wait_until(
        lambda: (
            Path(tmp_path, "studies.db").exists()
            and counts(open_study(config)[0])[TrialState.RUNNING] == 1
        ),
        first,
        120,
    )
    second = begin(**values)
    ends = ["".join(process.communicate(timeout=200)) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], ends
    assert "another process leads" in ends[1] and "the winner again" not in ends[1]
    assert "the winner again" in ends[0] and len(study_runs(store)[1]) == 3


def test_death_of_the_command_takes_its_workers_along(store, begin, tmp_path) -> None:
    values = {
        "trials": "3",
        "workers": "2",
        "space": "epochs=4000..5000",
        "storage": f"sqlite:///{tmp_path}/studies.db",
    }
    process = begin(**values)
    wait_until(lambda: len(psutil.Process(process.pid).children()) == 2, process, 120)
    workers = psutil.Process(process.pid).children()
    time.sleep(5)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    psutil.wait_procs(workers, timeout=60)
    assert not any(worker.is_running() for worker in workers)


def test_interruption_leaves_no_zombie(store, begin, tmp_path) -> None:
    values = {
        "trials": "3",
        "space": "epochs=4000..5000",
        "storage": f"sqlite:///{tmp_path}/studies.db",
    }
    process = begin(**values)
    config = study_config(**values)

    def training() -> bool:
        studies = store.get_experiment_by_name("studies")
        return studies is not None and any(
            "train/loss" in run.data.metrics for run in store.search_runs([studies.experiment_id])
        )

    wait_until(training, process, 120)
    os.killpg(process.pid, signal.SIGINT)
    said = "".join(process.communicate(timeout=120))
    assert process.returncode == 130, said
    parent, children = study_runs(store)
    assert {run.info.status for run in [parent, *children]} == {"KILLED"}
    assert counts(open_study(config)[0])[TrialState.WAITING] == 3
