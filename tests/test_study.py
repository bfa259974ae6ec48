"""Studies and their workers: budgets, seeds, locks, the dead, with trials that take no time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from servers import postgresql

from gauntlet.errors import DivergenceError, GauntletError, TrackingError, UsageError
from gauntlet.tracking.runs import tracked_run
from tuning import measure as measuring
from tuning.config import EXPERIMENT, TuneConfig
from tuning.locks import held
from tuning.objectives import LOSS
from tuning.report import _losses, best, feasible, summary
from tuning.study import DEFINITION, REASON, _connect, counts, draw, open_study
from tuning.worker import revive, take, work

SMALL = {"preset": "smoke", "trials": 6, "space": "epochs=2..4"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def storage(request: Any, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/studies.db"
        return
    with postgresql() as uri:
        yield uri


def _config(storage: str, **changes: Any) -> TuneConfig:
    return TuneConfig(**SMALL | {"storage": storage} | changes)


def _parent(config: TuneConfig) -> Any:
    return tracked_run(EXPERIMENT, config.name, config.as_json(), tags={})


def _stands_for_training(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> list[int]:
    """Let a trial be what `outcome(trial config, report)` says; return the seeds of all trials."""
    seeds: list[int] = []

    def measure(config: TuneConfig, trial: Any, data: Any, report: Any) -> dict[str, float]:
        seeds.append(trial.seed)
        return outcome(trial, report)

    monkeypatch.setattr(measuring, "measure", measure)
    return seeds


def _rate(trial: Any, report: Any) -> dict[str, float]:
    return {LOSS: trial["learning_rate"]}


def _trials(config: TuneConfig) -> list[tuple[TrialState, dict[str, Any], Any]]:
    return [(t.state, t.params, t.values) for t in open_study(config)[0].get_trials()]


def test_budget_is_exact_and_seeds_differ(store, storage, monkeypatch) -> None:
    seeds = _stands_for_training(monkeypatch, _rate)
    config = _config(storage)
    with _parent(config) as parent:
        work(config, parent)
        work(config, parent)  # nothing is left
    assert len(seeds) == 6 == len(set(seeds)) == len(_trials(config))
    more = _config(storage, trials=9)
    with _parent(more) as parent:
        work(more, parent)
    assert len(set(seeds)) == 9 and counts(open_study(more)[0])[TrialState.COMPLETE] == 9


def test_smaller_budget_leaves_the_rest_waiting(store, storage, monkeypatch) -> None:
    seeds = _stands_for_training(monkeypatch, _rate)
    open_study(_config(storage))  # six wait
    less = _config(storage, trials=2)
    with _parent(less) as parent:
        work(less, parent)
    count = counts(open_study(less)[0])
    assert len(seeds) == 2 == count[TrialState.COMPLETE] and count[TrialState.WAITING] == 4


def test_points_are_tried_as_they_are(store, storage, monkeypatch) -> None:
    found = []

    def outcome(trial: Any, report: Any) -> dict[str, float]:
        found.append(trial["activation"])
        report(1, {"val/loss": len(found)})
        return {LOSS: 1.0}

    _stands_for_training(monkeypatch, outcome)
    config = _config(storage, study="activations", trials="auto", space="")
    with _parent(config) as parent:
        work(config, parent)
    assert found == [point["activation"] for point in config.points]
    losses = _losses(open_study(config)[0], config)
    first = {"relu - exponential - softplus": {1: 1}, "relu": {1: 2}, "sigmoid": {1: 3}}
    assert len(losses) == 7 and list(losses.items())[:3] == list(first.items())


def test_interrupted_study_ends_as_an_uninterrupted_one(store, storage, monkeypatch) -> None:
    whole, cut = _config(storage, study_name="whole"), _config(storage, study_name="cut")
    for config in (whole, cut):
        begun = []

        def outcome(trial: Any, report: Any, begun=begun, config=config) -> dict[str, float]:
            begun.append(trial.seed)
            report(1, {"val/loss": trial["learning_rate"]})
            if config is cut and len(begun) in (2, 5):
                raise KeyboardInterrupt
            return {LOSS: trial["learning_rate"]}

        _stands_for_training(monkeypatch, outcome)
        for _ in range(3):
            try:
                with _parent(config) as parent:
                    work(config, parent)
                break
            except KeyboardInterrupt:
                pass
    assert _trials(whole) == _trials(cut)
    assert len({str(params) for _, params, _ in _trials(whole)}) == 6


def test_trial_of_the_dead_waits_again_with_what_it_drew(store, storage) -> None:
    config = _config(storage)
    study, locks = open_study(config)
    with _parent(config) as parent:
        trial, lock = take(study, locks, config, parent)
        drawn = draw(trial, config)
        child = store.create_run(
            parent.experiment_id, run_name="trial 0", tags={"mlflow.parentRunId": parent.id}
        )
        revive(study, locks, config, parent)
        assert study.trials[0].state == TrialState.RUNNING  # its lock is held
        assert store.get_run(child.info.run_id).info.status == "RUNNING"
        lock.release()
        revive(study, locks, config, parent)
        assert study.trials[0].state == TrialState.WAITING
        assert store.get_run(child.info.run_id).info.status == "KILLED"
        again, _ = take(study, locks, config, parent)
        assert again.number == 0 and draw(again, config) == drawn


def test_locks_end_with_a_killed_process(storage) -> None:
    code = (
        "import sys; from tuning.study import _connect; "
        f"lock = _connect({storage!r})[1].take('it'); print(lock is not None, flush=True); "
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    root, pipe = Path(__file__).parents[1], subprocess.PIPE
    holder = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root)
    with holder:
        assert holder.stdout.readline() == "True\n"
        locks = _connect(storage)[1]
        assert locks.take("it") is None
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with held(locks, "it"):
            assert locks.take("it") is None
        assert locks.take("it") is not None


def test_diverged_trials_fail_with_their_reason(store, storage, monkeypatch) -> None:
    def outcome(trial: Any, report: Any) -> dict[str, float]:
        if len(seeds) in (2, 3):
            raise DivergenceError("it diverged")
        return {LOSS: 1.0}

    seeds = _stands_for_training(monkeypatch, outcome)
    config = _config(storage)
    with _parent(config) as parent:
        work(config, parent)
        runs = store.search_runs([parent.experiment_id], f"tags.mlflow.parentRunId='{parent.id}'")
    study = open_study(config)[0]
    failed = [t for t in study.trials if t.state == TrialState.FAIL]
    assert [t.user_attrs[REASON] for t in failed] == ["it diverged"] * 2 and len(study.trials) == 6
    assert sorted(run.info.status for run in runs) == ["FAILED"] * 2 + ["FINISHED"] * 4
    assert "2 failed" in summary(study, config)


def test_study_of_failures_ends(store, storage, monkeypatch) -> None:
    def diverge(trial: Any, report: Any) -> dict[str, float]:
        raise DivergenceError("it diverged")

    seeds = _stands_for_training(monkeypatch, diverge)
    config = _config(storage, trials=50)
    with pytest.raises(GauntletError, match=r"4 of 4 trials .* failed"), _parent(config) as parent:
        work(config, parent)
    assert len(seeds) == 4


def test_values_that_do_not_go_together_fail_their_trial(store, storage, monkeypatch) -> None:
    _stands_for_training(monkeypatch, _rate)
    config = _config(storage, study="funn", trials=2, space="epochs=2 init_epochs=4..5")
    with _parent(config) as parent:
        work(config, parent)
    study = open_study(config)[0]
    assert [t.state for t in study.trials] == [TrialState.FAIL] * 2
    assert "expected at most the 2 epochs" in study.trials[0].user_attrs[REASON]


@pytest.mark.parametrize("pruner", ["median", pytest.param("hyperband", marks=pytest.mark.slow)])
def test_pruned_trials_are_killed_runs(store, storage, monkeypatch, pruner: str) -> None:
    def outcome(trial: Any, report: Any) -> dict[str, float]:
        for epoch in range(1, 10):
            report(epoch, {"val/loss": len(seeds) + 1 / epoch})  # each worse than the one before
        return {LOSS: float(len(seeds))}

    seeds = _stands_for_training(monkeypatch, outcome)
    config = _config(storage, pruner=pruner, trials=12, space="epochs=2..9")
    with _parent(config) as parent:
        work(config, parent)
        runs = store.search_runs([parent.experiment_id], f"tags.mlflow.parentRunId='{parent.id}'")
    count = counts(open_study(config)[0])
    assert count[TrialState.PRUNED] > 2 and sum(count.values()) == 12
    killed = [run for run in runs if run.info.status == "KILLED"]
    assert len(killed) == count[TrialState.PRUNED]
    assert all("val/loss" in run.data.metrics for run in killed)


def test_floor_decides_who_can_win(store, storage, monkeypatch) -> None:
    def outcome(trial: Any, report: Any) -> dict[str, float]:
        clean = 0.9 if len(seeds) % 2 else 0.99
        return {config.objectives[0].name: clean, config.objectives[1].name: 1 - clean}

    seeds = _stands_for_training(monkeypatch, outcome)
    config = _config(storage, study="funn", space="epochs=5..6 init_epochs=2..3")
    with _parent(config) as parent:
        work(config, parent)
    study = open_study(config)[0]
    winner = best(study, config)
    assert [feasible(t) for t in study.trials] == [False, True] * 3
    assert winner.number == 1 and winner.values[0] == 0.99


def test_study_that_is_older_than_a_parameter_goes_on(store, storage) -> None:
    study, _ = open_study(_config(storage))
    older = {k: v for k, v in study.user_attrs[DEFINITION].items() if k != "beta"}
    study.set_user_attr(DEFINITION, older)
    open_study(_config(storage))
    with pytest.raises(UsageError, match=r"beta 0\.01 -> 0\.02"):
        open_study(_config(storage, beta=0.02))


def test_other_space_under_the_same_name_is_refused(store, storage) -> None:
    open_study(_config(storage))
    with pytest.raises(UsageError, match=r"epochs 2\.\.4 -> 2\.\.5") as error:
        open_study(_config(storage, space="epochs=2..5"))
    assert "\n" not in str(error.value)
    open_study(_config(storage, space="epochs=2..5", study_name="other"))


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://me:hunter2@127.0.0.1:9/db"]
)
def test_storage_that_cannot_be_used(url: str) -> None:
    with pytest.raises(TrackingError, match=r"--storage: .* cannot be used") as error:
        open_study(_config(url))
    assert "hunter2" not in str(error.value) and "\n" not in str(error.value)
