"""What `mlflow run` lacks, for this project alone; other projects run as if this were not here.

MLflow creates a run before it validates anything, keeps runs in the working directory, wants
conda, and leaves its child behind on SIGTERM.

MLflow imports this module in every process, through the entry point `mlflow.run_context_provider`,
while it is itself being imported. So this module imports nothing heavy and no `mlflow` at its top.
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt

PROJECT = "gauntlet"

STANDING = "GAUNTLET_STANDING_IN"
"""Tells the project's process where the user stands: MLflow starts it in the project's folder."""

INTERRUPTED = {130, -1, -2, -9, -15, 129, 137, 143}
"""Exit codes of a child that a signal ended: our own, Python's and a shell's."""


class LauncherContext:
    """An MLflow run context without tags; MLflow loads this module to find it."""

    def in_context(self) -> bool:
        """Return False: there is nothing to say about a run."""
        return False

    def tags(self) -> dict[str, str]:
        """Return no tags."""
        return {}


@wrapt.when_imported("mlflow.projects")
def _wrap_run(projects: ModuleType) -> None:
    wrapt.wrap_function_wrapper(projects, "run", _run)


def _run(
    wrapped: Callable[..., Any], _instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    call = inspect.signature(wrapped).bind(*args, **kwargs)
    call.apply_defaults()
    if call.arguments["backend"] != "local" or not _is_gauntlet(str(call.arguments["uri"])):
        return wrapped(*args, **kwargs)
    from gauntlet.errors import GauntletError, UsageError
    from gauntlet.interruption import interruptible
    from gauntlet.output import never_fail
    from gauntlet.tracking.patience import leave_client

    never_fail()
    # Python handles signals in its main thread only.
    main = threading.current_thread() is threading.main_thread()
    try:
        with interruptible() if main else nullcontext(), _standing():
            _prepare(call.arguments)
            with _storage_apart(call.arguments):
                return _launch(lambda: wrapped(*call.args, **call.kwargs))
    except GauntletError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    finally:
        leave_client()


def _is_gauntlet(uri: str) -> bool:
    from mlflow.projects import load_project

    folder = Path(uri.removeprefix("file://"))
    # What cannot be loaded is MLflow's to report.
    with suppress(Exception):
        return folder.is_dir() and load_project(folder).name == PROJECT
    return False


def _prepare(arguments: dict[str, Any]) -> None:
    """Check everything that can be checked before a run exists, and choose what was left open."""
    from gauntlet.catalogue.components import load
    from gauntlet.catalogue.entry_points import ENTRY_POINTS
    from gauntlet.config.command_line import parse
    from gauntlet.tracking.store import open_store

    parameters = {name: str(value) for name, value in (arguments["parameters"] or {}).items()}
    config = parse(arguments["entry_point"], parameters)
    load(ENTRY_POINTS[arguments["entry_point"]].check)(config)
    open_store()
    _choose_experiment(arguments)
    _choose_environment(arguments)


@contextmanager
def _standing() -> Iterator[None]:
    os.environ[STANDING] = str(Path.cwd())
    try:
        yield
    finally:
        os.environ.pop(STANDING, None)


def stand_where_the_user_does() -> None:
    """Make relative paths mean what they meant where `mlflow run` was typed."""
    if folder := os.environ.pop(STANDING, None):
        os.chdir(folder)


@contextmanager
def _storage_apart(arguments: dict[str, Any]) -> Iterator[None]:
    """Let the child find a study's storage in its environment; MLflow logs and prints the rest."""
    from gauntlet.masking import mask_address
    from gauntlet.storage import STORAGE

    parameters = arguments["parameters"] or {}
    given, before = str(parameters.get("storage", "")), os.environ.get(STORAGE)
    if (masked := mask_address(given)) == given:
        yield
        return
    arguments["parameters"] = {**parameters, "storage": masked}
    os.environ[STORAGE] = given
    try:
        yield
    finally:
        os.environ.pop(STORAGE)
        os.environ |= {STORAGE: before} if before else {}


def _choose_experiment(arguments: dict[str, Any]) -> None:
    from gauntlet.catalogue.entry_points import ENTRY_POINTS
    from gauntlet.tracking.experiments import experiment_id

    name = arguments["experiment_name"]
    if arguments["experiment_id"] or (not name and "MLFLOW_EXPERIMENT_ID" in os.environ):
        return
    own = ENTRY_POINTS[arguments["entry_point"]].experiment
    name = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or own
    arguments.update(experiment_name=None, experiment_id=experiment_id(name))


def _choose_environment(arguments: dict[str, Any]) -> None:
    # `mlflow` may have been called by its path: its `python` and `uv` are then not on PATH.
    here = Path(sys.executable).parent
    if Path(shutil.which("python") or "").parent != here:
        os.environ["PATH"] = os.pathsep.join([str(here), os.environ.get("PATH", os.defpath)])
    conda = shutil.which("conda") or os.environ.get("MLFLOW_CONDA_HOME")
    if arguments["env_manager"] is None and not conda:
        arguments["env_manager"] = "local"
        sys.stderr.write(
            f"conda not found: running in {sys.prefix}; --env-manager uv makes an isolated one\n"
        )


def _launch(run: Callable[[], Any]) -> Any:
    """Run, and end the run if MLflow created one and did not get to end it."""
    from mlflow.exceptions import ExecutionException

    from gauntlet.errors import TrackingError
    from gauntlet.interruption import OPENED_RUN
    from gauntlet.tracking.living import let_go

    created: list[str] = []
    codes: list[int] = []
    before, ended = os.environ.get(OPENED_RUN), True
    try:
        return _remembering_runs(created)(_noting_exit_codes(codes)(run))()
    except BaseException as error:
        ended = False
        # A lost server must not hide the error.
        with suppress(Exception):
            _end(created, isinstance(error, KeyboardInterrupt) or not INTERRUPTED.isdisjoint(codes))
            ended = True
        if codes and isinstance(error, TrackingError):  # the child has said it
            raise ExecutionException(f"Run (ID '{created[0]}') failed") from None
        raise
    finally:
        os.environ.pop(OPENED_RUN, None)
        os.environ.update({} if before is None else {OPENED_RUN: before})
        for run_id in created:
            let_go(run_id, ended)


def _remembering_runs(created: list[str]) -> Any:
    """Note each run that this thread creates, hold it, and tell the child that it is its own."""
    from gauntlet.interruption import OPENED_RUN
    from gauntlet.tracking.living import hold

    thread = threading.get_ident()

    @wrapt.transient_function_wrapper("mlflow", "MlflowClient.create_run")
    def remember(create: Any, _instance: object, args: Any, kwargs: Any) -> Any:
        entity = create(*args, **kwargs)
        if threading.get_ident() == thread:
            created.append(entity.info.run_id)
            hold(entity.info.run_id)
            os.environ[OPENED_RUN] = entity.info.run_id
        return entity

    return remember


def _noting_exit_codes(codes: list[int]) -> Any:
    """Note how the child failed, of which MLflow says only that it did."""
    from gauntlet.tracking.patience import hurry

    @wrapt.transient_function_wrapper("mlflow.projects.submitted_run", "LocalSubmittedRun.wait")
    def note(wait: Any, child: Any, args: Any, kwargs: Any) -> Any:
        succeeded = wait(*args, **kwargs)
        if not succeeded:
            codes.append(child.command_proc.returncode)
            hurry()  # if the store was lost, the child has waited for it
        return succeeded

    return note


def _end(created: list[str], interrupted: bool) -> None:
    """End what MLflow left RUNNING; it calls FAILED what was interrupted before its first step."""
    from mlflow import MlflowClient

    from gauntlet.tracking.living import end_dead_runs

    client = MlflowClient()
    for run_id in created:
        status = client.get_run(run_id).info.status
        if interrupted and status in ("RUNNING", "FAILED"):
            client.set_terminated(run_id, "KILLED")
        elif status == "RUNNING":
            client.set_terminated(run_id, "FAILED")
    end_dead_runs()  # of a child that was killed
