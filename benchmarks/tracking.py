"""What tracking costs: the share of a whole cold attack run that is spent in MLflow's calls.

This counts every call of MLflow's client in the main thread, and every sample of the system metrics
in their own thread. It leaves out the drawing of figures, which the user asked for and which has a
line of its own.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import mlflow
from matplotlib.figure import Figure
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from benchmarks.timing import Comparison
from gauntlet.config.attack import AttackConfig
from gauntlet.entry_points import attack

CLIENT = [
    name
    for name in vars(mlflow.MlflowClient)
    if not name.startswith("_") and callable(getattr(mlflow.MlflowClient, name))
]
SAMPLING = ["start", "finish", "collect_metrics", "publish_metrics"]


class Stopwatch:
    """Adds up the seconds in wrapped calls; a call within a call of the same thread counts once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inside = threading.local()

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "yes", False):
                return function(*args, **kwargs)
            self._inside.yes, start = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start
                self._inside.yes = False

        return timed


def run() -> Iterator[Comparison]:
    """Run the default attack, cold, on all of MNIST."""
    tracking, drawing = Stopwatch(), Stopwatch()
    with tempfile.TemporaryDirectory() as folder, _store(folder), ExitStack() as patches:
        for owner, names, watch in (
            (mlflow.MlflowClient, CLIENT, tracking),
            (SystemMetricsMonitor, SAMPLING, tracking),
            (Figure, ["savefig"], drawing),
        ):
            for name in names:
                wrapped = watch.wrap(getattr(owner, name))
                patches.enter_context(mock.patch.object(owner, name, wrapped))
        start = time.perf_counter()
        attack.run(AttackConfig())
        total = time.perf_counter() - start
    yield Comparison(
        "tracking: share of a cold attack run",
        [tracking.seconds / total],
        "<= 0.03",
        (tracking.seconds, total),
    )
    yield Comparison(
        "drawing figures: share of it", [drawing.seconds / total], "", (drawing.seconds, total)
    )


@contextmanager
def _store(folder: str) -> Iterator[None]:
    kept = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    try:
        yield
    finally:
        os.environ.pop("MLFLOW_TRACKING_URI")
        if kept is not None:
            os.environ["MLFLOW_TRACKING_URI"] = kept
