"""A worker: takes waiting trials of a study, one by one, and measures each in a run of its own."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from gauntlet.data.dataset import Dataset
from gauntlet.errors import GauntletError, TrackingError, TrainingStopped, UsageError
from gauntlet.interruption import interruptible
from gauntlet.masking import mask, mask_output
from gauntlet.output import never_fail
from gauntlet.pipeline.inputs import load_data
from gauntlet.tracking import names
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import end_orphans, tracked_run
from gauntlet.tracking.store import open_store
from gauntlet.training.runtime import configure_tensorflow
from tuning.config import EXPERIMENT, TuneConfig
from tuning.locks import Lock, Locks, held
from tuning.study import REASON, counts, draw, finished, open_study, storage_faults

if TYPE_CHECKING:
    from gauntlet.training.keras_loops import EpochReport

STATUS = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}
"""How the run of a trial ends."""

ENOUGH_TO_JUDGE = 4


def work(config: TuneConfig, parent: TrackedRun) -> None:
    """Measure trials until none waits.

    Raises:
        GauntletError: more than half of the trials fail.
    """
    study, locks = open_study(config)
    data = load_data(config)
    while (taken := take(study, locks, config, parent)) is not None:
        trial, lock = taken
        try:
            _run(trial, config, data, parent)
        finally:
            lock.release()


def take(
    study: optuna.Study, locks: Locks, config: TuneConfig, parent: TrackedRun
) -> tuple[Trial, Lock] | None:
    """Return the next waiting trial and its lock, or None; dead ones wait again first."""
    with held(locks, f"{config.name} study"):
        revive(study, locks, config, parent)
        _check_failures(study)
        count = counts(study)
        begun = finished(study) + count[TrialState.RUNNING]
        if not count[TrialState.WAITING] or begun >= config.budget:
            return None
        trial = study.ask()
        lock = locks.take(_lock_name(config, trial.number))
        assert lock is not None  # noqa: S101 -- it waited, so nobody holds it
        return trial, lock


def revive(study: optuna.Study, locks: Locks, config: TuneConfig, parent: TrackedRun) -> None:
    """Let trials of dead workers wait again, and end the runs that they left open.

    A trial keeps its number, and with it its seed and what it has drawn.
    """
    alive = set()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        lock = locks.take(_lock_name(config, trial.number))
        if lock is None:
            alive.add(trial.number)
        else:
            _wait_again(study, trial)
            lock.release()
    ended = {
        _run_name(t): STATUS.get(t.state, "KILLED")
        for t in study.get_trials(deepcopy=False)
        if t.number not in alive
    }
    end_orphans(parent, ended)


def _wait_again(study: optuna.Study, trial: FrozenTrial | Trial) -> None:
    study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


def _check_failures(study: optuna.Study) -> None:
    failed, done = counts(study)[TrialState.FAIL], finished(study)
    if failed >= ENOUGH_TO_JUDGE and failed > done / 2:
        last = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))[-1]
        raise GauntletError(
            f"{failed} of {done} trials of the study '{study.study_name}' failed, the last one: "
            f"{last.user_attrs.get(REASON)} Narrow the --space."
        )


def _run(trial: Trial, config: TuneConfig, data: Dataset, parent: TrackedRun) -> None:
    """Measure one trial and tell the study; only what ends the study is raised."""
    configure_tensorflow()
    from tuning.measure import measure

    drawn = draw(trial, config)
    try:
        trial_config = config.trial_config(drawn, trial.number)
    except UsageError as error:
        _fail(trial, str(error))
        return
    tags = {names.STUDY: config.name, names.TRIAL: str(trial.number)}
    params = {f"trial/{name}": str(value) for name, value in drawn.items()}
    try:
        with tracked_run(
            EXPERIMENT,
            _run_name(trial),
            trial_config.as_json(),
            tags=tags,
            params=params,
            parent=parent,
        ) as run:
            trial.set_user_attr("run_id", run.id)
            report = _Reports(trial, run, config)
            metrics = measure(config, trial_config, data, report)
            run.metrics(metrics.items())
            _tell(trial, config, metrics)
    except TrainingStopped:
        trial.study.tell(trial, state=TrialState.PRUNED)
    except TrackingError:  # the store's fault, not the trial's
        _wait_again(trial.study, trial)
        raise
    except Exception as error:  # its run is FAILED, with the traceback; other values may do
        if trial.storage.get_trial(trial._trial_id).state.is_finished():
            raise  # the store was lost after the trial: nothing to do with its values
        _fail(trial, str(error))
    except KeyboardInterrupt:
        _wait_again(trial.study, trial)
        raise


def _tell(trial: Trial, config: TuneConfig, metrics: dict[str, float]) -> None:
    if config.study == "funn":
        trial.set_constraint(
            "clean_floor", config["clean_floor"] - metrics[config.objectives[0].name]
        )
    trial.study.tell(trial, [metrics[objective.name] for objective in config.objectives])


def _fail(trial: Trial, reason: str) -> None:
    trial.set_user_attr(REASON, mask(reason))
    trial.study.tell(trial, state=TrialState.FAIL)


class _Reports:
    """The epoch reports of a trial's trainings: into its run, and to the pruner."""

    def __init__(self, trial: Trial, run: TrackedRun, config: TuneConfig) -> None:
        self._trial = trial
        self._run = run
        self._prunes = config["pruner"] != "none"
        # Epochs that a worker reported before it died: Optuna warns of a second report.
        # Studies with two objectives report no epochs at all.
        self._known = trial.storage.get_trial(trial._trial_id).intermediate_values
        self._curve = len(config.objectives) == 1

    def __call__(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log an epoch of what is searched.

        Raises:
            TrainingStopped: the pruner gives the trial up.
        """
        self._run.metrics(metrics.items(), epoch)
        if not self._curve or "val/loss" not in metrics or epoch in self._known:
            return
        self._trial.report(metrics["val/loss"], epoch)
        if self._prunes and self._trial.should_prune():
            raise TrainingStopped(f"pruned after epoch {epoch}")

    def of(self, part: str) -> EpochReport:
        """Return the report of a training that is not what the pruner judges."""
        return lambda epoch, metrics: self._run.metrics(
            ((f"{part}/{name}", value) for name, value in metrics.items()), epoch
        )


def _run_name(trial: Trial | FrozenTrial) -> str:
    return f"trial {trial.number}"


def _lock_name(config: TuneConfig, number: int) -> str:
    return f"{config.name} trial {number}"


def main() -> int:
    """Work on a study. Standard input holds its config as JSON, then its run, and who leads."""
    config = TuneConfig(**json.loads(sys.stdin.buffer.readline()))
    run_id, experiment_id, leader = sys.stdin.readline().split()
    try:
        with interruptible(int(leader)):
            open_store()
            with storage_faults(config):
                work(config, TrackedRun(run_id, experiment_id))
    except GauntletError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    never_fail()
    mask_output()
    sys.exit(main())
