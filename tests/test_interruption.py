"""What is left after Ctrl-C, SIGTERM, SIGKILL, a divergence and a failing cell."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import mlflow
import psutil
import pytest
import sqlalchemy
from servers import tracking_to, wait_until
from stored import runs_of

from gauntlet.catalogue.parameters import to_string
from gauntlet.cells import measure
from gauntlet.entry_points import attack, autoencoder
from gauntlet.errors import DivergenceError
from gauntlet.interruption import interruptible
from gauntlet.pipeline.session import session
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.store import PROJECT_ROOT

STARTS_WITHIN = 120
ENDS_WITHIN = 30
ENDLESS = {"preset": "smoke", "epochs": "100000"}


def _statuses(client: mlflow.MlflowClient) -> dict[str, str]:
    return {run.info.run_name: run.info.status for run in runs_of(client)}


def _epochs(client: mlflow.MlflowClient) -> list[int]:
    """Return the epochs whose loss is in the store."""
    return [
        metric.step
        for run in runs_of(client)
        for metric in client.get_metric_history(run.info.run_id, "train/loss")
    ]


def _session(leader: int) -> list[psutil.Process]:
    """Return the living processes that a command started, itself included."""
    return [p for p in psutil.process_iter() if _leader(p) == leader]


def _leader(process: psutil.Process) -> int | None:
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return os.getsid(process.pid) if alive else None
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None


def _wait_for_training(client: mlflow.MlflowClient, process: subprocess.Popen[str]) -> int:
    """Wait until epochs are in the store; return how many."""
    wait_until(lambda: len(_epochs(client)) >= 3, process, STARTS_WITHIN)
    return len(_epochs(client))


def _wait_for_the_end(process: subprocess.Popen[str]) -> None:
    wait_until(lambda: not _session(process.pid), None, ENDS_WITHIN)


@pytest.fixture
def training(store, start) -> Callable[[], subprocess.Popen[str]]:
    flags = [f"--{name}={value}" for name, value in ENDLESS.items()]
    return lambda: start("python", "-m", "gauntlet", "autoencoder", *flags, uri=_uri())


@pytest.fixture
def launched(store, start) -> Callable[[], subprocess.Popen[str]]:
    """The real project through `mlflow run`."""
    parameters = [word for k, v in ENDLESS.items() for word in ("-P", f"{k}={v}")]
    command = ["run", PROJECT_ROOT, "-e", "autoencoder", "--env-manager", "local", *parameters]
    return lambda: start("mlflow", *command, uri=_uri())


def _uri() -> str:
    return os.environ["MLFLOW_TRACKING_URI"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGTERM, signal.SIGINT]],
    ids=["SIGINT", "SIGTERM", "impatient"],
)
def test_signal_kills_the_run_and_keeps_its_epochs(store, training, signals):
    process = training()
    seen = _wait_for_training(store, process)
    for number in signals:
        process.send_signal(number)
    _, err = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 130
    assert err == "interrupted: what was measured is logged, the runs are KILLED\n"
    assert list(_statuses(store).values()) == ["KILLED"]
    epochs = _epochs(store)
    assert epochs == list(range(1, len(epochs) + 1)) and len(epochs) >= seen
    assert not _session(process.pid)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_end_of_mlflow_run_ends_its_child(store, launched, number):
    process = launched()
    seen = _wait_for_training(store, process)
    assert len(_session(process.pid)) > 1, "there is a child"
    process.send_signal(number)
    _wait_for_the_end(process)
    assert process.wait(1) != 0 and "Traceback" not in process.stderr.read()
    assert _statuses(store) == {"vanilla digits seed 0": "KILLED"}
    assert len(_epochs(store)) >= seen


@pytest.mark.slow
def test_interrupted_training_is_not_reused(store, training, tiny, capsys):
    process = training()
    _wait_for_training(store, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=ENDS_WITHIN)
    autoencoder.run(tiny("autoencoder", epochs="1"))
    assert "computed because: no finished run of it yet" in capsys.readouterr().out


@pytest.fixture
def attacked_copy(attacked, tmp_path) -> str:
    """A store of its own in which the models of the small attack run are trained already."""
    return f"sqlite:///{shutil.copy(attacked.uri.removeprefix('sqlite:///'), tmp_path / 'a.db')}"


@pytest.mark.slow
def test_signal_kills_cell_and_attack_run(attacked, attacked_copy, start, tmp_path):
    budgets = ",".join(f"{i / 1000:g}" for i in range(1, 900))
    values = {name: to_string(value) for name, value in attacked.config.values.items()}
    values |= {
        "attacks": "bim",
        "epsilons": budgets,
        "defence": "none",
        "threat_models": "white_box",
    }
    flags = [f"--{name}={value}" for name, value in values.items()]
    with tracking_to(attacked_copy, tmp_path) as client:
        process = start("python", "-m", "gauntlet", "attack", *flags, uri=attacked_copy)
        wait_until(lambda: len(_open_runs(client)) == 2, process, STARTS_WITHIN)
        (cell, parent) = _open_runs(client)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDS_WITHIN) == 130
        assert {client.get_run(r).info.status for r in (cell, parent)} == {"KILLED"}
        assert not _open_runs(client)


def _open_runs(client: mlflow.MlflowClient) -> list[str]:
    return [run.info.run_id for run in runs_of(client) if run.info.status == "RUNNING"]


class _Transactions:
    """Counts the steps of this thread's transactions; SIGTERM comes within step `at`."""

    EVENTS = ("before_cursor_execute", "after_cursor_execute", "commit")

    def __init__(self) -> None:
        self.steps, self.at = 0, 0

    def step(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            self.steps += 1
            if self.steps == self.at:
                os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def transactions() -> Iterator[_Transactions]:
    found = _Transactions()
    for event in found.EVENTS:
        sqlalchemy.event.listen(sqlalchemy.engine.Engine, event, found.step)
    yield found
    for event in found.EVENTS:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, event, found.step)


def test_signal_within_a_transaction_leaves_the_store_free_and_no_run_open(
    store, tiny, transactions
):
    """A database that an interrupted write left locked would keep the runs from being ended."""

    def run(name: str) -> None:
        with interruptible(), session("attack"):
            opened = tracked_run("attacks", name, tiny("attack").as_json(), tags={})
            with opened as parent, tracked_run("attacks", "child", {}, tags={}, parent=parent):
                parent.text("a.txt", "a")

    run("warm")
    transactions.steps = 0
    run("measured")
    total = transactions.steps
    for at in range(1, total, total // 20):
        transactions.steps, transactions.at = 0, at
        with pytest.raises(KeyboardInterrupt, match=r"^$"):  # else: its runs are not ended
            run(f"signal in step {at} of {total}")
        transactions.at = 0
        assert not _open_runs(store)
    assert set(_statuses(store).values()) == {"KILLED", "FINISHED"}


@pytest.mark.slow
def test_divergence_says_where_and_what_to_do(store, start):
    flags = ["--preset=smoke", "--learning_rate=10", "--activation=exponential"]
    process = start("python", "-m", "gauntlet", "autoencoder", *flags, uri=_uri())
    _, err = process.communicate(timeout=STARTS_WITHIN)
    assert process.returncode == 1
    assert err.startswith("error: training diverged in epoch ") and err.count("\n") == 1
    assert "Lower --learning_rate" in err
    (run,) = runs_of(store)
    assert run.info.status == "FAILED"
    assert run.data.tags["gauntlet.error"].startswith("DivergenceError: training diverged in epoch")


def test_divergence_keeps_its_last_epoch_and_logs_no_model(store, tiny):
    with pytest.raises(DivergenceError, match=r"^training diverged in epoch 1: train/loss is"):
        autoencoder.run(tiny("autoencoder", learning_rate="10", activation="exponential"))
    (run,) = runs_of(store)
    assert (run.info.status, _epochs(store)) == ("FAILED", [1])
    assert "gauntlet.model_id" not in run.data.tags


@pytest.fixture
def failing_cell(monkeypatch):
    """The second attack fails while its cell is judged."""
    judge = measure.measure

    def fail(cell, *more):
        if cell.attack.name == "t_fgsm":
            raise ZeroDivisionError("one by nought")
        return judge(cell, *more)

    monkeypatch.setattr(measure, "measure", fail)


@pytest.fixture
def failed(attacked_copy, tiny, failing_cell, tmp_path):
    """Statuses by run name after an attack run of which one cell failed."""
    config = tiny(
        "attack", attacks="bim,t_fgsm", steps="2", defence="none", threat_models="white_box"
    )
    with tracking_to(attacked_copy, tmp_path) as client:
        before = {run.info.run_id for run in runs_of(client)}
        with pytest.raises(ZeroDivisionError):
            attack.run(config)
        new = [run for run in runs_of(client) if run.info.run_id not in before]
        return {run.info.run_name.split(",")[0]: run for run in new}


def test_failing_cell_fails_the_attack_run(failed):
    statuses = {name: run.info.status for name, run in failed.items()}
    assert statuses == {
        "dense digits seed 0": "FAILED",
        "t_fgsm": "FAILED",
        "bim": "FINISHED",
    }
    assert {run.data.tags.get("gauntlet.error") for run in failed.values()} == {
        None,
        "ZeroDivisionError: one by nought",
    }


DROPPED = """
import os, signal, sys, time
from gauntlet.interruption import interruptible

class Finalizer:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)  # Python drops the interrupt that is raised here

try:
    with interruptible():
        Finalizer()
        time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_interrupt_that_falls_into_a_finalizer_is_not_lost() -> None:
    done = subprocess.run([sys.executable, "-c", DROPPED], timeout=30, capture_output=True)
    assert done.returncode == 130, done.stderr


IN_CODE_OF_A_STRING = """
import signal, sys
from gauntlet.interruption import interruptible

try:
    with interruptible():
        exec("signal.raise_signal(signal.SIGTERM)")
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_exit_code_is_that_of_main_wherever_the_interrupt_fell(tmp_path) -> None:
    """`python -m` ends by SIGINT, code -2, after an interrupt within code made of a string."""
    (tmp_path / "interrupted.py").write_text(IN_CODE_OF_A_STRING)
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, timeout=30, capture_output=True)
    assert done.returncode == 130, done.stderr
