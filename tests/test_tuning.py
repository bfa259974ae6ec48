"""Studies as users run them: real trainings, worker processes, kills, the winner on test images."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from studies import study_config, study_runs
from vocabulary import unnamed

from gauntlet.config.command_line import parse
from gauntlet.entry_points import autoencoder
from gauntlet.errors import GauntletError
from gauntlet.tracking.names import Of
from tuning import tune
from tuning.study import open_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _artifacts(store: mlflow.MlflowClient, run_id: str, folder: str | None = None) -> set[str]:
    found = set()
    for item in store.list_artifacts(run_id, folder):
        found |= _artifacts(store, run_id, item.path) if item.is_dir else {item.path}
    return found


def test_study_ends_with_a_winner_that_can_be_made_again(store, capsys) -> None:
    config = study_config(trials="3", space="epochs=2..4")
    tune.run(config)
    said = capsys.readouterr().out
    parent, children = study_runs(store)
    study = open_study(config)[0]
    best = study.best_trial
    metrics = parent.data.metrics
    assert metrics["best/validation/loss"] == best.value
    gap = metrics["best/test/loss"] - metrics["best/validation/loss"]
    assert metrics["best/gap/loss"] == pytest.approx(gap)
    assert [run.info.status for run in [parent, *children]] == ["FINISHED"] * 4
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
    _check_that_a_second_run_computes_nothing(store, config, capsys)


def _check_that_a_second_run_computes_nothing(store, config, capsys) -> None:
    parent, children = study_runs(store)
    tune.run(config)
    again, still = study_runs(store)
    assert "goes on in run" in capsys.readouterr().out
    assert again.info.run_id == parent.info.run_id and len(still) == len(children)


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
    few = {"trials": "2", "attack_images": "20", "attacks": "fgsm,lr_natural"}
    if study == "attack":
        del few["attacks"]
    config = study_config(**STUDIES[study], **few)
    tune.run(config)
    parent, children = study_runs(store)
    for objective in config.objectives:
        name = objective.name.removeprefix("validation/")
        assert {f"best/{part}/{name}" for part in ("validation", "test", "gap")} <= set(
            parent.data.metrics
        )
        assert all(objective.name in run.data.metrics for run in children)
    assert len(children) == 2
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

    config = study_config(objective="robust_accuracy", space="epochs=2", attack_images="10")
    data = load_data(config)
    trial = config.trial_config({"epochs": 2}, 0)

    class Silent:
        def __call__(self, epoch: int, metrics: dict[str, float]) -> None: ...

        def of(self, part: str) -> Any:
            return self

    blind = replace(data, x_test=np.zeros((0, *data.x_test.shape[1:]), np.float32))
    assert measure(config, trial, data, Silent()) == measure(config, trial, blind, Silent())


def test_study_of_failures_ends_with_the_reason(store) -> None:
    config = study_config(study="funn", trials="9", space="epochs=2 init_epochs=4..5")
    with pytest.raises(GauntletError, match=r"^4 of 4 trials .* at most the 2 epochs"):
        tune.run(config)
    assert study_runs(store)[0].info.status == "FAILED"
