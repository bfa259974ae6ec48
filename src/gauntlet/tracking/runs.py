"""One MLflow run as one context manager: what goes in at the start, and how it ends."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException

from gauntlet.catalogue.parameters import Values, to_string
from gauntlet.errors import TrackingError, TrainingStopped
from gauntlet.interruption import uninterrupted
from gauntlet.masking import mask
from gauntlet.tracking import names
from gauntlet.tracking.entry_run import take_entry_run_id
from gauntlet.tracking.experiments import experiment_id
from gauntlet.tracking.living import hold, let_go
from gauntlet.tracking.pages import every
from gauntlet.tracking.patience import hurry, store_failed
from gauntlet.tracking.provenance import environment, git_state
from gauntlet.tracking.recording import TrackedRun, log_params

SYSTEM_METRICS_SECONDS = 5
"""Sampling interval. At one second, sampling was most of the overhead of tracking."""

_monitor_log = logging.getLogger("mlflow.system_metrics.system_metrics_monitor")
_monitor_log.setLevel(logging.WARNING)
_monitor_log.addFilter(lambda _: not store_failed())  # the run itself says it, once


@contextmanager
def tracked_run(
    purpose: str,
    name: str,
    config: Values,
    *,
    tags: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    parent: TrackedRun | None = None,
    entry: bool = False,
) -> Iterator[TrackedRun]:
    """Open a run, yield it, and end it: FINISHED, FAILED with its traceback, or KILLED.

    Args:
        purpose: the experiment, unless a parent or `mlflow run` has chosen one.
        name: shown in the UI.
        config: resolved, as JSON, without secrets; logged as parameters `config/...` and as
            `config.json`. (`mlflow run` has logged what the user typed under the plain names, and
            MLflow never changes one.)
        tags: the step's, see `Fingerprint.tags`.
        params: what tells this run from others of the same config.
        parent: makes this a child run.
        entry: take over the run that `mlflow run` opened for this process, if it did.
    """
    with _opened(lambda: _open(purpose, name, parent, entry)) as run:
        _describe(run, config, tags, params or {})
        yield run


@contextmanager
def continued_run(run_id: str) -> Iterator[TrackedRun]:
    """Open a run again that was interrupted, or is to hold more; end it as `tracked_run` does."""
    with _opened(lambda: _reopen(run_id)) as run:
        yield run


@contextmanager
def _opened(opening: Callable[[], TrackedRun]) -> Iterator[TrackedRun]:
    with ExitStack() as ending:
        with uninterrupted():  # nobody could end a run of which only the store knows
            run = opening()
            ending.enter_context(_ended(run))
        yield run


@contextmanager
def _ended(run: TrackedRun) -> Iterator[None]:
    status = "FAILED"
    try:
        with _system_metrics(run):
            yield
        run.flush()
        run.seal()
        status = "FINISHED"
    except (KeyboardInterrupt, TrainingStopped) as stopped:
        status = "KILLED"
        if isinstance(stopped, KeyboardInterrupt):
            hurry()
        raise
    except BaseException as error:
        with suppress(TrackingError):
            log_params(run.id, {names.ERROR: mask(f"{type(error).__name__}: {error}")[:5000]})
            run.text("traceback.txt", traceback.format_exc())
        raise
    finally:
        _close(run, status)


def _open(purpose: str, name: str, parent: TrackedRun | None, entry: bool) -> TrackedRun:
    client = mlflow.MlflowClient()
    if entry and (run_id := take_entry_run_id()):
        hold(run_id)
        client.set_tag(run_id, "mlflow.runName", name)
        return TrackedRun(run_id, client.get_run(run_id).info.experiment_id)
    experiment = parent.experiment_id if parent else experiment_id(purpose)
    family = {"mlflow.parentRunId": parent.id} if parent else {}
    run = client.create_run(experiment, run_name=name, tags=family)
    hold(run.info.run_id)
    return TrackedRun(run.info.run_id, experiment)


def _reopen(run_id: str) -> TrackedRun:
    run = TrackedRun.of(run_id)
    run.go_on()
    hold(run_id)
    mlflow.MlflowClient().update_run(run_id, status="RUNNING")
    return run


def _describe(
    run: TrackedRun, config: Values, tags: Mapping[str, str], params: Mapping[str, str]
) -> None:
    values = {f"config/{name}": to_string(value) for name, value in config.items()}
    # A comparison draws nothing, so it has none.
    seed = {names.SEED: values["config/seed"]} if "config/seed" in values else {}
    run.describe({**tags, **git_state(), **seed}, {**values, **params})
    run.json("config.json", config)
    run.text("environment.txt", environment())


def gpu_metrics_are_logged() -> bool:
    """Tell whether NVML finds a GPU to measure; asked without TensorFlow."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount()) > 0
    except pynvml.NVMLError:
        return False


@contextmanager
def _system_metrics(run: TrackedRun) -> Iterator[None]:
    """Sample CPU, memory, disk, network and every GPU while the block runs."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run.id, sampling_interval=SYSTEM_METRICS_SECONDS)
    monitor.start()
    try:
        yield
    finally:
        # Its thread may be waiting for a lost store, which must not keep this one.
        end = threading.Thread(target=_end, args=(monitor,), daemon=True)
        end.start()
        end.join(1 if store_failed() else SYSTEM_METRICS_SECONDS)


def _end(monitor: Any) -> None:
    monitor.finish()
    with suppress(TrackingError):
        # The monitor samples after each interval; a shorter run would have no sample at all.
        monitor.collect_metrics()
        monitor.publish_metrics(monitor.aggregate_metrics())
        monitor.mlflow_logger.flush()


def _close(run: TrackedRun, status: str) -> None:
    """End a run. If the store fails here, the error that is being raised already is kept."""
    ended = False
    with uninterrupted():
        try:
            try:
                run.flush()
            finally:
                mlflow.MlflowClient().set_terminated(run.id, status)
            ended = True
        except TrackingError:
            if status == "FINISHED":
                raise
        finally:
            let_go(run.id, ended)


def resume_from(run: TrackedRun, interrupted: str) -> None:
    """Say from which run this one goes on, and end that one: after SIGKILL it still says RUNNING.

    Whoever calls this holds the lock of the training, so nobody works in that run.
    """
    run.tags({names.RESUMED_FROM: interrupted})
    client = mlflow.MlflowClient()
    try:
        if client.get_run(interrupted).info.status == "RUNNING":
            client.set_terminated(interrupted, "KILLED")
    except MlflowException:  # deleted for good
        return


def is_there(run_id: str) -> bool:
    """Tell whether a run is in the store, and not deleted."""
    try:
        return bool(mlflow.MlflowClient().get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException:
        return False


def end_orphans(parent: TrackedRun, statuses: Mapping[str, str]) -> None:
    """End the children of a run, by name, that a killed process left RUNNING."""
    client = mlflow.MlflowClient()
    open_ones = f"tags.mlflow.parentRunId = '{parent.id}' and attributes.status = 'RUNNING'"
    for run in list(every(client.search_runs, [parent.experiment_id], open_ones)):
        if run.info.run_name in statuses:
            client.set_terminated(run.info.run_id, statuses[run.info.run_name])
