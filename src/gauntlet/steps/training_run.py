"""A training as a tracked run: progress, learning curve, model, whatever is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gauntlet.config.models import AutoencoderConfig
from gauntlet.data.dataset import Dataset
from gauntlet.steps.console import progress, say
from gauntlet.tracking.artifacts import log_model
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import resume_from, tracked_run
from gauntlet.tracking.step_cache import Fingerprint
from gauntlet.training.checkpoint import Checkpoint

if TYPE_CHECKING:
    import keras

TRAINED_BY = (
    "gauntlet.config.base",
    "gauntlet.config.models",
    "gauntlet.config.published",
    "gauntlet.data.registry",
    "gauntlet.data.subsets",
    "gauntlet.evaluation.metrics",
    "gauntlet.steps.inputs",
)
"""Modules that compute every training, beside those that compute its own kind."""

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

    def finish(self, model: keras.Model, example: NDArray[np.float32]) -> None:
        """Log the learning curve and the model; without epochs there is no curve."""
        from gauntlet.evaluation.figures import draw_learning_curve

        if self._history:
            self.run.figure("learning_curve.png", draw_learning_curve(self._history, model.name))
        log_model(self.run, model, example)


@contextmanager
def training_run(
    purpose: str,
    name: str,
    config: AutoencoderConfig,
    data: Dataset,
    fingerprint: Fingerprint,
    entry: bool,
) -> Iterator[TrainingRun]:
    """Open a run for a training, see `tracked_run`; one that was interrupted goes on in it."""
    from gauntlet.training.runtime import configure_tensorflow

    device = {"gauntlet.device": configure_tensorflow()}
    tags = {**fingerprint.tags, **device}
    with (
        tracked_run(purpose, name, config, tags=tags, entry=entry) as run,
        progress(f"training {fingerprint.subject}", config.iterations) as advance,
    ):
        run.uses_data(data.name, data.sha256, len(data.x_train), "training")
        checkpoint = fingerprint.checkpoint(run.id)
        if found := checkpoint.found:
            say(f"resumed after epoch {len(found.history)} of {config.iterations}")
            resume_from(run, found.run_id)
        yield TrainingRun(run, checkpoint, advance)
    checkpoint.delete()
