"""What a trial of a study adds to its bare training: the storage, the run, the reports."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from unittest import mock

from benchmarks.timing import Comparison, measured, seconds
from gauntlet.autoencoders.training import reconstruct, train_autoencoder
from gauntlet.config.tune import TuneConfig
from gauntlet.data.registry import load
from gauntlet.tracking.experiments import STUDIES
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.store import open_store

EPOCHS, ROUNDS = 10, 3


def run() -> Iterator[Comparison]:
    """Measure whole trials of the first paper's autoencoder on all of MNIST."""
    from tuning.worker import work

    data, fixed = load("mnist"), f"epochs={EPOCHS} widths=504,28"
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ):
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        open_store()
        done = 0
        base = TuneConfig(space=f"{fixed} activation=relu pre_output_activation=relu")

        def bare() -> None:
            config = base.trial_config({"epochs": EPOCHS}, done)
            model = train_autoencoder(config, data.x_train, lambda *_: None)
            reconstruct(model, data.x_train[-base.validation_size :])

        def one_more() -> None:
            nonlocal done
            done += 1
            work(base.model_copy(update={"trials": done}), parent)

        with tracked_run(STUDIES, "benchmark", base, tags={}) as parent:
            yield measured(
                f"study: a trial of {EPOCHS} epochs over its bare training",
                lambda: seconds(one_more), lambda: seconds(bare), "<= 1.05", ROUNDS,
            )  # fmt: skip
