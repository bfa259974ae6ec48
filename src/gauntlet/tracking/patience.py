"""How long a store may be away, and one line for what is wrong with it.

MLflow's own patience is counted for each HTTP request, anew for each of the nested runs that a
lost store leaves to be closed, and there is none for a database. Here it is counted once for the
process: from the first failure on, whichever call it was, until any call succeeds.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import wrapt

from gauntlet.errors import TrackingError
from gauntlet.interruption import interrupted, uninterrupted
from gauntlet.tracking.faults import Fault, Place, fault_of

PATIENCE_SECONDS = 10.0
"""Seconds that a store may be away; after that, what is not written yet is given up."""

HURRY_SECONDS = 0.5
"""The same, once the user wants the command to end."""

PAUSE_SECONDS = 0.2
"""Seconds between two attempts."""

ANSWER_SECONDS = "30"
"""Seconds that a server may take for an answer, as long as nothing has failed."""

_RETRIES, _TIMEOUT = "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"


@dataclass
class _Outage:
    """The state of the store as this process has seen it.

    Attributes:
        place: which store it is; None: the client is left alone.
        found: what MLflow's own settings were before, by the environment variable.
        since: monotonic time of the first failure since the last success.
        reason: why the store is given up; no further call is made then.
        hurried: nobody wants to wait any longer.
        told: a fault was raised, so that whoever fails as well need not say it again.
    """

    place: Place | None = None
    found: Mapping[str, str | None] = field(default_factory=dict)
    since: float | None = None
    reason: str | None = None
    hurried: bool = False
    told: bool = False


_outage = _Outage()
_inside = threading.local()


def be_patient_with(place: Place) -> None:
    """Let all calls of MLflow's client wait out a short outage, and say in a line what is wrong."""
    global _outage
    leave_client()
    _outage = _Outage(place, {name: os.environ.get(name) for name in (_RETRIES, _TIMEOUT)})
    os.environ.setdefault(_RETRIES, "0")
    os.environ.setdefault(_TIMEOUT, ANSWER_SECONDS)
    _wrap_client()


def leave_client() -> None:
    """Let MLflow's client be as it was: this process may go on with something else."""
    global _outage
    found, _outage = _outage.found, _Outage()
    for name, value in found.items():
        os.environ.pop(name, None)
        os.environ.update({} if value is None else {name: value})


def hurry() -> None:
    """Let nothing wait for the store from now on: the user wants the command to end."""
    _outage.hurried = True
    os.environ.update({_RETRIES: "0", _TIMEOUT: "5" if _outage.since is None else "1"})


def given_up() -> str | None:
    """Return why the store was given up, in one sentence; None: it was not."""
    return _outage.reason


def store_failed() -> bool:
    """Tell whether the store is away now, or some call has failed for good."""
    return _outage.since is not None or _outage.told


@functools.cache
def _wrap_client() -> None:
    # The class, because threads of MLflow's own call it as well.
    import mlflow
    import mlflow.artifacts

    for name, _ in inspect.getmembers(mlflow.MlflowClient, inspect.isfunction):
        if not name.startswith("_"):
            wrapt.wrap_function_wrapper(mlflow, f"MlflowClient.{name}", _patiently)
    wrapt.wrap_function_wrapper(mlflow.artifacts, "download_artifacts", _patiently)
    # It shows a traceback for every failure of a database; what matters is said in one line.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def _patiently(call: Any, _instance: object, args: Any, kwargs: Any) -> Any:
    if _outage.place is None or getattr(_inside, "call", False):  # the client calls itself
        return call(*args, **kwargs)
    _inside.call = True
    try:
        reads_artifact = call.__name__ == "download_artifacts"
        return _until_it_succeeds(lambda: call(*args, **kwargs), _outage.place, reads_artifact)
    finally:
        _inside.call = False


def _until_it_succeeds(call: Callable[[], Any], place: Place, reads_artifact: bool) -> Any:
    while _outage.reason is None:
        # Half a transaction would keep a database locked, for the end of the runs as well.
        whole = uninterrupted() if place.is_database else nullcontext()
        try:
            with whole:
                result = call()
        except Exception as error:
            fault = fault_of(error, place, reads_artifact)
            if fault is None:
                raise
            _wait(fault)
        else:
            if _outage.since is not None:
                _outage.since = None
                os.environ[_TIMEOUT] = _outage.found.get(_TIMEOUT) or ANSWER_SECONDS
            return result
    raise TrackingError(_outage.reason)


def _wait(fault: Fault) -> None:
    """Wait a moment before the next attempt.

    Raises:
        TrackingError: no attempt could help, or there have been enough.
    """
    if not fault.passes:
        _outage.told = True
        raise TrackingError(fault.sentence) from None
    now = time.monotonic()
    _outage.since = _outage.since or now
    hurried = _outage.hurried or interrupted()
    left = _outage.since + (HURRY_SECONDS if hurried else PATIENCE_SECONDS) - now
    if left <= 0:
        _outage.reason, _outage.told = fault.sentence, True
        raise TrackingError(fault.sentence) from None
    # A server that is there and mute must not use up more than what is left.
    os.environ.update({_RETRIES: "0", _TIMEOUT: str(max(1, int(left)))})
    time.sleep(min(PAUSE_SECONDS, left))
