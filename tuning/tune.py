"""Entry point `tune`: a study -> trials, by workers -> the winner, once on test images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO

import optuna

from gauntlet.config.networks import NetworksConfig
from gauntlet.data.dataset import Dataset
from gauntlet.errors import GauntletError
from gauntlet.pipeline.console import progress, say
from gauntlet.pipeline.inputs import load_data
from gauntlet.pipeline.session import session
from gauntlet.report.document.files import texts
from gauntlet.storage import STORAGE
from gauntlet.tracking import names
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import continued_run, is_there, tracked_run
from gauntlet.tracking.store import PROJECT_ROOT
from gauntlet.training.runtime import configure_tensorflow
from gauntlet.variables import variables
from tuning.config import EXPERIMENT, TuneConfig
from tuning.locks import Lock, Locks
from tuning.page import study_page
from tuning.report import best, log_study, log_winner, summary
from tuning.study import PARENT, finished, open_study, storage_faults

WINNER = "gauntlet.winner"
POLL_SECONDS, OTHERS_SECONDS = 0.5, 5.0


def run(config: TuneConfig) -> None:
    """Bring a study to its budget of trials, then re-train and report the winner."""
    with session("tune") as where, storage_faults(config):
        data = load_data(config)
        study, locks = open_study(config)
        lead = _lead(config, study, locks)
        if lead is None:
            say(f"study '{config.name}': another process leads and will report; helping it")
            _work(config, TrackedRun.of(study.user_attrs[PARENT]), study)
            say(summary(study, config))
            return
        try:
            with _study_run(config, study) as parent:
                _work_to_the_end(config, parent, study)
                _finish(config, study, data, parent)
        finally:
            lead.release()
        say(f"study run {parent.id}; figures, every trial, the winner: {where}")


@contextmanager
def _study_run(config: TuneConfig, study: optuna.Study) -> Iterator[TrackedRun]:
    """Open the run of the study, or the one that it has already."""
    found = study.user_attrs.get(PARENT)
    if found and is_there(found):
        say(f"study '{config.name}' goes on in run {found}: {finished(study)} trials")
        with continued_run(found) as run:
            yield run
        return
    tags = {names.STEP: "tune", names.STUDY: config.name}
    with tracked_run(EXPERIMENT, config.name, config.as_json(), tags=tags, entry=True) as run:
        study.set_user_attr(PARENT, run.id)
        yield run


def _lead(config: TuneConfig, study: optuna.Study, locks: Locks) -> Lock | None:
    """Return the lock of the one process that reports; None if another has it and a run."""
    while (lead := locks.take(f"{config.name} lead")) is None:
        if PARENT in study.user_attrs:
            return None
        time.sleep(POLL_SECONDS)
    return lead


def _work_to_the_end(config: TuneConfig, parent: TrackedRun, study: optuna.Study) -> None:
    _work(config, parent, study)
    while finished(study) < config.budget:
        time.sleep(OTHERS_SECONDS)  # workers elsewhere end theirs, or die
        _work(config, parent, study)


def _work(config: TuneConfig, parent: TrackedRun, study: optuna.Study) -> None:
    """Let workers measure what waits, and show how far they are.

    Raises:
        GauntletError: a worker said why it cannot go on, or all of them are gone.
    """
    with ExitStack() as stack, progress(f"study {config.name}", config.budget) as advance:
        logs = [
            stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
            for _ in range(config["workers"])
        ]
        workers = [stack.enter_context(_worker(config, parent, log)) for log in logs]
        shown = 0
        while True:
            busy = any(worker.poll() is None for worker in workers)
            done = finished(study)
            for _ in range(shown, done):
                advance(summary(study, config))
            shown = done
            if not busy:
                break
            time.sleep(POLL_SECONDS)
        _check_ends(workers, logs)


@contextmanager
def _worker(
    config: TuneConfig, parent: TrackedRun, log: IO[str]
) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join([str(PROJECT_ROOT / "src"), str(PROJECT_ROOT)])
    environment = {k: v for k, v in variables().items() if k != "MLFLOW_RUN_ID"}
    environment |= {} if config["storage"] == "auto" else {STORAGE: config["storage"]}
    worker = subprocess.Popen(
        [sys.executable, "-m", "tuning.worker"],
        env=environment | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        text=True,
    )
    assert worker.stdin is not None  # noqa: S101 -- a pipe
    given = json.dumps(config.as_json(config.given))
    worker.stdin.write(f"{given}\n{parent.id} {parent.experiment_id} {os.getpid()}\n")
    worker.stdin.close()
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait()


def _check_ends(workers: Sequence[subprocess.Popen[str]], logs: Sequence[IO[str]]) -> None:
    ends = [_end(*pair) for pair in zip(workers, logs, strict=True) if pair[0].returncode]
    if len(ends) == len(workers):
        raise GauntletError(ends[0])
    for line in ends:
        say(f"warning: {line} The others did its trials.")


def _end(worker: subprocess.Popen[str], log: IO[str]) -> str:
    log.seek(0)
    last = (log.read().strip().splitlines() or ["without a word"])[-1]
    if last.startswith("error: "):
        return last.removeprefix("error: ")
    return f"a worker ended with {worker.returncode} ({last}): the same command goes on."


def _finish(config: TuneConfig, study: optuna.Study, data: Dataset, parent: TrackedRun) -> None:
    """Log what the study found; train the winner into the store and measure it on test images."""
    figures = log_study(parent, study, config)
    winner = best(study, config)
    if winner is None:
        raise GauntletError(
            f"the study '{config.name}' has no winner: {summary(study, config)}"
            + (
                f", none with a clean accuracy of {config['clean_floor']:g}."
                if config.study == "funn"
                else "."
            )
        )
    trial = config.trial_config(winner.params, winner.number)
    say(summary(study, config))
    measured = _on_test(config, study, winner.number, trial, data)
    for name, value, test in measured:
        parent.metrics(
            [
                (f"best/validation/{name}", value),
                (f"best/test/{name}", test),
                (f"best/gap/{name}", test - value),
            ]
        )
        say(f"{name}: validation {value:.4f}, test {test:.4f}, one seed")
    parent.tags({names.BEST_TRIAL: str(winner.number)})
    command = log_winner(parent, trial)
    page = study_page(study, config, measured, command, figures, parent.id)
    for path, text in texts(page, "study").items():
        parent.text(path, text)
    say(f"the winner again: {command}")


def _on_test(
    config: TuneConfig, study: optuna.Study, number: int, trial: NetworksConfig, data: Dataset
) -> list[tuple[str, float, float]]:
    """Return each objective's name, its value on validation and on test images, measured once."""
    configure_tensorflow()
    from tuning.measure import measure_on_test

    measured = study.user_attrs.get(WINNER, {})
    if measured.get("trial") != number:
        metrics = measure_on_test(config, trial, data)
        measured = {"trial": number, "test": metrics}
        study.set_user_attr(WINNER, measured)
    return [
        (objective.short, value, measured["test"][f"test/{objective.short}"])
        for objective, value in zip(config.objectives, study.trials[number].values, strict=True)
    ]
