"""Studies as users run them: real trainings, worker processes, kills, the winner on test images."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import psutil
import pytest
import yaml
from optuna.trial import TrialState
from servers import postgresql, tracking_to, wait_until
from vocabulary import unnamed

from gauntlet.config.command_line import parse
from gauntlet.entry_points import autoencoder
from gauntlet.errors import GauntletError
from gauntlet.tracking.names import Of
from tuning import tune
from tuning.config import TuneConfig
from tuning.study import counts, open_study

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TINY = {"preset": "smoke", "train_size": "400", "test_size": "60"}


def _config(**values: str) -> TuneConfig:
    config = parse("tune", TINY | values)
    assert isinstance(config, TuneConfig)
    return config


def _command(**values: str) -> list[str]:
    flags = [word for name, value in (TINY | values).items() for word in (f"--{name}", value)]
    return [sys.executable, "-m", "gauntlet", "tune", *flags]


@pytest.fixture
def begin(start) -> Callable[..., subprocess.Popen[str]]:
    """Start a study of some parameters in the store of this process."""
    return lambda **values: start(*_command(**values), uri=mlflow.get_tracking_uri())


def _runs(store: mlflow.MlflowClient) -> tuple[Any, list[Any]]:
    experiment = store.get_experiment_by_name("studies").experiment_id
    runs = store.search_runs([experiment], max_results=1000)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} <= {parent.info.run_id}
    return parent, children


def _artifacts(store: mlflow.MlflowClient, run_id: str, folder: str | None = None) -> set[str]:
    found = set()
    for item in store.list_artifacts(run_id, folder):
        found |= _artifacts(store, run_id, item.path) if item.is_dir else {item.path}
    return found


def test_study_ends_with_a_winner_that_can_be_made_again(store, capsys) -> None:
    config = _config(trials="5", space="epochs=2..4")
    tune.run(config)
    said = capsys.readouterr().out
    parent, children = _runs(store)
    study = open_study(config)[0]
    best = study.best_trial
    metrics = parent.data.metrics
    assert metrics["best/validation/loss"] == best.value
    gap = metrics["best/test/loss"] - metrics["best/validation/loss"]
    assert metrics["best/gap/loss"] == pytest.approx(gap)
    assert [run.info.status for run in [parent, *children]] == ["FINISHED"] * 6
    figures = {
        "history",
        "slice",
        "parallel_coordinates",
        "importance",
        "timeline",
        "learning_curves",
    }
    expected = {f"figures/{name}.{end}" for name in figures for end in ("html", "png")}
    pages = {"trials.csv", "trials.json", "study.html", "study.md"}
    tables = {
        f"tables/{name}.{end}" for name in ("winner", "space", "trials") for end in ("csv", "tex")
    }
    assert _artifacts(store, parent.info.run_id) >= expected | pages | tables
    (command,) = [line for line in said.splitlines() if line.startswith("the winner again: ")]
    words = shlex.split(command.removeprefix("the winner again: "))
    assert words[:4] == ["mlflow", "run", ".", "-e"]
    given = dict(word.split("=", 1) for word in words[6::2])
    page = store.download_artifacts(parent.info.run_id, "best.yaml")
    assert yaml.safe_load(Path(page).read_text()) == {"autoencoder": given}
    again = autoencoder.run(parse("autoencoder", given))  # reused: it is in the store already
    validation = store.get_run(again.stored.run_id).data.metrics["val/loss"]
    assert validation == pytest.approx(best.value, rel=1e-5)


def test_second_run_of_a_finished_study_computes_nothing(store, capsys) -> None:
    config = _config(trials="2", space="epochs=2")
    tune.run(config)
    parent, children = _runs(store)
    tune.run(config)
    again, still = _runs(store)
    assert "goes on in run" in capsys.readouterr().out
    assert again.info.run_id == parent.info.run_id and len(still) == len(children) == 2


STUDIES = {
    "funn": {
        "study": "funn",
        "filters": "4",
        "clean_floor": "0.05",
        "space": "epochs=3 init_epochs=1 features=8..16 attacker_noise=4..8",
    },
    "defence": {"study": "defence", "epochs": "3", "space": "autoencoder=vanilla|sparse"},
    "attack": {
        "study": "attack",
        "epochs": "3",
        "space": "steps=10..12 apgd_steps=10..12 restarts=1..2 apgd_restarts=1..2",
    },
    "robust": {
        "study": "autoencoder",
        "objective": "robust_accuracy",
        "defence": "encoded",
        "space": "epochs=2..3",
    },
}


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_measures_and_tests(store, study: str) -> None:
    few = {"trials": "3", "attack_images": "20", "attacks": "fgsm,lr_natural"}
    if study == "attack":
        del few["attacks"]
    config = _config(**STUDIES[study], **few)
    tune.run(config)
    parent, children = _runs(store)
    for objective in config.objectives:
        name = objective.name.removeprefix("validation/")
        assert {f"best/{part}/{name}" for part in ("validation", "test", "gap")} <= set(
            parent.data.metrics
        )
        assert all(objective.name in run.data.metrics for run in children)
    assert len(children) == 3
    kinds, without_a_name = unnamed(store)
    assert {Of.STUDY, Of.TRIAL} <= kinds and without_a_name == []
    if study == "funn":
        assert "figures/pareto.png" in _artifacts(store, parent.info.run_id)
    if study == "attack":
        assert _trained(store) == ["autoencoder", "classifier"]


def _trained(store: mlflow.MlflowClient) -> list[str]:
    """Return the step of every training in the store."""
    experiments = [e.experiment_id for e in store.search_experiments()]
    found = store.search_runs(experiments, "tags.`gauntlet.step` != 'examination'")
    steps = (run.data.tags["gauntlet.step"] for run in found)
    return sorted(step for step in steps if step in ("autoencoder", "classifier"))


def test_test_images_play_no_part_in_a_trial(store, monkeypatch) -> None:
    import numpy as np

    from gauntlet.pipeline.inputs import load_data
    from tuning.measure import measure

    config = _config(objective="robust_accuracy", space="epochs=2", attack_images="10")
    data = load_data(config)
    trial = config.trial_config({"epochs": 2}, 0)

    class Silent:
        def __call__(self, epoch: int, metrics: dict[str, float]) -> None: ...

        def of(self, part: str) -> Any:
            return self

    blind = data.__class__(**{**vars(data), "x_test": np.zeros((0, *data.x_test.shape[1:]))})
    assert measure(config, trial, data, Silent()) == measure(config, trial, blind, Silent())


@pytest.mark.parametrize("storage", ["sqlite", "postgresql"])
def test_three_workers_share_a_study(store, tmp_path, storage: str) -> None:
    def study(url: str) -> None:
        config = _config(trials="6", workers="3", space="epochs=2..4", storage=url)
        tune.run(config)
        children = _runs(store)[1]
        trials = open_study(config)[0].trials
        assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 6
        numbers = sorted(int(run.data.tags["gauntlet.trial"]) for run in children)
        seeds = {run.data.tags["gauntlet.seed"] for run in children}
        assert numbers == list(range(6)) and len(seeds) == 6
        assert {run.info.status for run in children} == {"FINISHED"}

    if storage == "sqlite":
        study(f"sqlite:///{tmp_path}/studies.db")
        return
    with postgresql() as url:
        study(url)


TWO = {"trials": "2", "space": "epochs=20..30 widths=504,28"}


def _results(values: dict[str, str]) -> list[tuple[Any, ...]]:
    """Return what the trials of a study found."""
    trials = open_study(_config(**values))[0].trials
    return [(t.number, t.params, t.values, t.intermediate_values) for t in trials]


@pytest.fixture(scope="module")
def whole(new_store, tmp_path_factory) -> list[tuple[Any, ...]]:
    """The results of a study of two trials that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    values = TWO | {"storage": f"sqlite:///{folder}/whole.db", "study_name": "whole"}
    with tracking_to(new_store(), folder):
        tune.run(_config(**values))
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
        study = study or open_study(_config(**cut))[0]
        found = study.get_trials(states=(TrialState.RUNNING,))
        late = any(len(trial.intermediate_values) > 5 for trial in found)
        return late if moment == "late" else bool(found)

    wait_until(begun, process, 120)
    for worker in psutil.Process(process.pid).children():
        os.kill(worker.pid, signal.SIGKILL)
    said = "".join(process.communicate(timeout=120))
    assert process.returncode == 1 and "the same command goes on" in said
    done = subprocess.run(_command(**cut), cwd=ROOT, check=True, capture_output=True, text=True)
    assert "goes on in run" in done.stdout
    assert _results(cut) == whole
    experiment = store.get_experiment_by_name("studies").experiment_id
    assert not store.search_runs([experiment], "attributes.status = 'RUNNING'")


def test_study_of_failures_ends_with_the_reason(store) -> None:
    config = _config(study="funn", trials="9", space="epochs=2 init_epochs=4..5")
    with pytest.raises(GauntletError, match=r"^4 of 4 trials .* at most the 2 epochs"):
        tune.run(config)
    assert _runs(store)[0].info.status == "FAILED"


def test_second_process_helps_and_leaves_the_report_to_the_first(store, begin, tmp_path) -> None:
    values = {
        "trials": "4",
        "space": "epochs=60..80",
        "storage": f"sqlite:///{tmp_path}/studies.db",
    }
    first = begin(**values)
    config = _config(**values)
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
    assert "the winner again" in ends[0] and len(_runs(store)[1]) == 4


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
    config = _config(**values)

    def training() -> bool:
        studies = store.get_experiment_by_name("studies")
        return studies is not None and any(
            "train/loss" in run.data.metrics for run in store.search_runs([studies.experiment_id])
        )

    wait_until(training, process, 120)
    os.killpg(process.pid, signal.SIGINT)
    said = "".join(process.communicate(timeout=120))
    assert process.returncode == 130, said
    parent, children = _runs(store)
    assert {run.info.status for run in [parent, *children]} == {"KILLED"}
    assert counts(open_study(config)[0])[TrialState.WAITING] == 3
