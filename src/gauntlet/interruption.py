"""Ctrl-C, SIGTERM and the death of `mlflow run` all become one `KeyboardInterrupt`."""

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


@contextmanager
def interruptible(with_parent: bool = False) -> Iterator[None]:
    """Raise `KeyboardInterrupt` in this block on SIGINT and SIGTERM.

    Under `mlflow run`, or `with_parent`, also when the parent dies: MLflow leaves its child running
    on SIGTERM.
    """
    previous = {s: signal.signal(s, _interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_ask_again, hook)
    if with_parent or "MLFLOW_RUN_ID" in os.environ:
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore both signals in this block: runs must not be left half closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    # The first one unwinds and closes the runs; a second must not stop that half-way. Not SIG_IGN:
    # Python complains of a signal that came together with the first one and is now ignored.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _pass_over)
    raise KeyboardInterrupt


def _pass_over(number: int, frame: FrameType | None) -> None:
    del number, frame


def _ask_again(others: Callable[[Any], object], dropped: Any) -> None:
    """Interrupt once more: Python drops what is raised in a finalizer, and the program goes on."""
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
