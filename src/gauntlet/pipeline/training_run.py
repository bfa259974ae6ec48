"""A training as a tracked run: progress, learning curve, models, whatever is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gauntlet.catalogue.parameters import Values
from gauntlet.data.dataset import Dataset
from gauntlet.pipeline.console import progress, say
from gauntlet.tracking import names
from gauntlet.tracking.artifacts import as_file, log_model
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import resume_from, tracked_run
from gauntlet.tracking.step_cache import Fingerprint
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.outcome import Outcome

SHOWN = 2
"""Metrics beside the progress bar; a dozen would leave no room for the bar."""


@dataclass
class TrainingRun:
    """An open training run, and where it is kept between epochs."""

    run: TrackedRun
    checkpoint: Checkpoint
    _advance: Callable[[str], None]
    _history: dict[str, dict[int, float]] = field(default_factory=dict)

    def report(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log and show one epoch; the `EpochReport` of a training."""
        self.run.metrics(metrics.items(), epoch)
        for name, value in metrics.items():
            self._history.setdefault(name, {})[epoch] = value
        shown = list(metrics.items())[:SHOWN]
        self._advance("  ".join(f"{name} {value:.4f}" for name, value in shown))

    def finish(self, outcome: Outcome, example: NDArray[np.float32]) -> None:
        """Log the learning curve and the networks; without epochs there is no curve."""
        from gauntlet.evaluation.figures import draw_learning_curve

        if self._history:
            figure = draw_learning_curve(self._history, outcome.model.name)
            self.run.figure("learning_curve.png", figure)
        for name, model in outcome.others.items():
            self.run.file(f"{name}.keras", as_file(model))
        log_model(self.run, outcome.model, example)


@contextmanager
def training_run(
    experiment: str,
    name: str,
    about: Values,
    epochs: int,
    data: Dataset,
    fingerprint: Fingerprint,
    entry: bool,
) -> Iterator[TrainingRun]:
    """Open a run for a training, see `tracked_run`; one that was interrupted goes on in it.

    Args:
        experiment: of the run, unless `mlflow run` has chosen one.
        name: of the run.
        about: what is logged as its config.
        epochs: how often the training reports.
        data: its training images.
        fingerprint: of the training.
        entry: take over the run that `mlflow run` opened.
    """
    from gauntlet.training.runtime import configure_tensorflow

    tags = {**fingerprint.tags, names.DEVICE: configure_tensorflow()}
    with (
        tracked_run(experiment, name, about, tags=tags, entry=entry) as run,
        progress(f"training {fingerprint.subject}", epochs) as advance,
    ):
        run.uses_data(data.name, data.train_sha256, len(data.x_train), "training")
        checkpoint = fingerprint.checkpoint(run.id)
        if found := checkpoint.found:
            say(f"resumed after epoch {len(found.history)} of {epochs}")
            resume_from(run, found.run_id)
        yield TrainingRun(run, checkpoint, advance)
    checkpoint.delete()
