"""Ctrl-C, SIGTERM, SIGHUP and the death of `mlflow run` all become one `KeyboardInterrupt`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

PARENT_CHECK_SECONDS, RETRY_SECONDS = 0.5, 0.1

SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
"""Ctrl-C, the polite end, and the end of the terminal."""

OPENED_RUN = "GAUNTLET_OPENED_RUN"
"""The environment variable in which the launcher names the run that it opened for its child."""

_held_back: list[int] = []
"""Signals that came while runs were being closed."""

_raised = threading.Event()
"""Set once a signal was raised: all that follows is the end of this process."""


@contextmanager
def interruptible(parent: int | None = None) -> Iterator[None]:
    """Raise `KeyboardInterrupt` in this block on SIGINT, SIGTERM and SIGHUP.

    Under `mlflow run`, or with the process id of a `parent`, also when the parent dies: MLflow
    leaves its child running on SIGTERM.
    """
    _raised.clear()
    # nohup lets SIGHUP be ignored, and that must stay so.
    caught = [s for s in SIGNALS if s in SIGNALS[:2] or signal.getsignal(s) != signal.SIG_IGN]
    previous = {s: signal.signal(s, _interrupt) for s in caught}
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_ask_again, hook)
    if parent or is_launched():
        threading.Thread(target=_watch, args=(parent or os.getppid(),), daemon=True).start()
    try:
        yield
    finally:
        _raised.clear()
        sys.unraisablehook = hook
        for number, handler in previous.items():
            signal.signal(number, handler)
        # An interrupt that fell into code that Python made of a string, such as a dataclass's
        # methods, marks the process: `python -m` would end by SIGINT instead of with its exit code.
        # The next such code takes the mark away.
        exec("")  # noqa: S102


def is_launched() -> bool:
    """Tell whether `mlflow run` started this process: it sets more than an id, which a user may."""
    return "MLFLOW_RUN_ID" in os.environ and (
        OPENED_RUN in os.environ or "MLFLOW_EXPERIMENT_ID" in os.environ
    )


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold the signals back in this block: runs must not be left half closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught = [s for s in SIGNALS if signal.getsignal(s) != signal.SIG_IGN]
    kept = {s: signal.signal(s, _hold_back) for s in caught}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
        if _held_back:
            first = _held_back[0]
            _held_back.clear()
            signal.raise_signal(first)


def interrupted() -> bool:
    """Tell whether there was a signal: whoever waits for something should stop waiting."""
    return bool(_held_back) or _raised.is_set()


def _hold_back(number: int, frame: FrameType | None) -> None:
    del frame
    _held_back.append(number)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    # The first one unwinds and closes the runs; a second must not stop that half-way. Not SIG_IGN:
    # Python complains of a signal that came together with the first one and is now ignored.
    for each in SIGNALS:
        if signal.getsignal(each) == _interrupt:
            signal.signal(each, _pass_over)
    _raised.set()
    raise KeyboardInterrupt


def _pass_over(number: int, frame: FrameType | None) -> None:
    del number, frame


def _ask_again(others: Callable[[Any], object], dropped: Any) -> None:
    """Interrupt once more: Python drops what a finalizer raises, and the program goes on."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        others(dropped)
        return
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _interrupt)
    # Later, when the finalizer has ended.
    threading.Timer(RETRY_SECONDS, os.kill, (os.getpid(), signal.SIGTERM)).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
