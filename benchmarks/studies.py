"""What a trial of a study costs beyond its bare training: the storage, the run, the reports.

Both times come from the same trial, because the machine's speed drifts by more than this cost from
one trial to the next.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

from benchmarks.timing import Comparison, seconds
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.store import open_store
from tuning import measure as measuring
from tuning import worker
from tuning.config import EXPERIMENT, TuneConfig

EPOCHS, ROUNDS = 10, 5


class _Clock:
    """Wraps a function and adds up the seconds of its calls."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.seconds = 0.0

    def __call__(self, *args: Any) -> Any:
        start = time.perf_counter()
        try:
            return self._function(*args)
        finally:
            self.seconds += time.perf_counter() - start


def run() -> Iterator[Comparison]:
    """Measure whole trials of the first paper's autoencoder on all of MNIST."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ):
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        open_store()
        config = TuneConfig(space=f"epochs={EPOCHS} widths=504,28 activation=relu")
        with tracked_run(EXPERIMENT, "benchmark", config.as_json(), tags={}) as parent:
            pairs = [_trial(config, parent, trials) for trials in range(1, ROUNDS + 2)][1:]
    name = f"study: a trial of {EPOCHS} epochs over its bare training"
    whole, bare = (sorted(side)[ROUNDS // 2] for side in zip(*pairs, strict=True))
    yield Comparison(name, [a / b for a, b in pairs], "<= 1.05", (whole, bare))


def _trial(config: TuneConfig, parent: Any, trials: int) -> tuple[float, float]:
    """Run one more trial; return its seconds, and those of its training alone."""
    measure, reports = _Clock(measuring.measure), _Clock(worker._Reports.__call__)

    def report(self: Any, epoch: int, metrics: dict[str, float]) -> None:
        reports(self, epoch, metrics)

    more = config.replace(trials=trials)
    with (
        mock.patch.object(measuring, "measure", measure),
        mock.patch.object(worker._Reports, "__call__", report),
    ):
        whole = seconds(lambda: worker.work(more, parent))
    return whole, measure.seconds - reports.seconds
