"""What a trained network is worth on test images: a measurement of its own, in a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from gauntlet.catalogue.components import load, module_of
from gauntlet.catalogue.trainings import Trainable, Training
from gauntlet.data.dataset import Dataset
from gauntlet.evaluation.outcomes import CountMatrix
from gauntlet.pipeline.inputs import grid_indices
from gauntlet.pipeline.reuse import Reuse
from gauntlet.tracking import names
from gauntlet.tracking.artifacts import StoredModel, loaded, model_of
from gauntlet.tracking.finished import read_sealed
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.step_cache import Fingerprint

if TYPE_CHECKING:
    import keras

    from gauntlet.training.outcome import Examination

STEP = "examination"
MATRIX = "confusion_matrix.json"

MANIFOLD = norm.ppf(np.linspace(0.05, 0.95, 15))
"""Coordinates that split the prior of a latent dimension evenly."""


@dataclass(frozen=True)
class Measured:
    """What is measured, and on what.

    Attributes:
        training: how the network was trained.
        data: its data set; all test images count, however many of them are attacked.
        seen: gives what the network sees of them, `(n, ...)`.
        modules: what computes `seen`.
        read: digests of further inputs.
    """

    training: Training[Trainable]
    data: Dataset
    seen: Callable[[], NDArray[np.float32]]
    modules: tuple[str, ...] = ()
    read: Mapping[str, str] = field(default_factory=dict)


def examine_once(name: str, stored: StoredModel, what: Measured) -> str:
    """Return the id of the run that measured a network, measuring it if there is none.

    Args:
        name: of the training's run.
        stored: the network; the run is a child of its training's.
        what: see `Measured`.
    """
    test = what.data.with_all_test_images
    entry = what.training.entry
    fingerprint = Fingerprint(
        STEP,
        f"of {name}",
        {**what.training.settings, f"examiner of {entry.name}": entry.examiner},
        {**what.read, "weights": stored.weights_sha256, "test data": test.test_sha256},
        (module_of(entry.examiner), *entry.layers, *what.modules),
    )
    found = Reuse(silent=True).reuse_or_compute(
        fingerprint, lambda: _examine(name, stored, what, test, fingerprint)
    )
    return found.id


def _examine(
    name: str, stored: StoredModel, what: Measured, test: Dataset, fingerprint: Fingerprint
) -> None:
    from gauntlet.training.runtime import configure_tensorflow

    parent = TrackedRun.of(stored.run_id)
    tags = {
        **fingerprint.tags,
        names.DEVICE: configure_tensorflow(),
        names.input_tag("model"): stored.run_id,
    }
    about = {"dataset": test.name, "seed": what.training.seed}
    title = f"{name}: test images"
    with tracked_run(STEP, title, about, tags=tags, parent=parent) as run:
        run.uses_data(test.name, test.test_sha256, len(test.x_test), "evaluation")
        run.uses_models([stored.model_id])
        models = _models_of(stored, what.training.entry.layers)
        seen = what.seen()
        found = load(what.training.entry.examiner)(what.training, models, seen, test.y_test)
        run.metrics(found.metrics, what.training.reports)
        _draw(run, title, found, test)
        if what.training.values.get("latent") == 2:
            _draw_latent(run, models["model"], test)


def _models_of(stored: StoredModel, layers: tuple[str, ...]) -> dict[str, keras.Model]:
    """Return the network as `model`, and those that were stored beside it by their names."""
    model, run = loaded(stored, layers), read_sealed(stored.run_id)
    others = [path for path in run.digests if path.endswith(".keras") and "/" not in path]
    models = {path.removesuffix(".keras"): model_of(run.artifact(path)) for path in others}
    return {"model": model, **models}


def _draw(run: TrackedRun, title: str, found: Examination, test: Dataset) -> None:
    from gauntlet.evaluation.figures import draw_grid
    from gauntlet.evaluation.matrix_figures import draw_matrices
    from gauntlet.evaluation.metrics import count_matrix, report_by_class

    if found.rows:
        picked = {row: images[grid_indices(test)] for row, images in found.rows.items()}
        run.figure("images.png", draw_grid(picked, {}, title))
    if found.predicted is not None:
        counts = count_matrix(test.y_test, found.predicted, test.n_classes)
        matrix: CountMatrix = {
            "rows": "true class",
            "columns": "prediction",
            "counts": counts.tolist(),
        }
        run.json(MATRIX, matrix)
        run.figure("confusion_matrix.png", draw_matrices({"clean": matrix}, "test images"))
        run.text("classification_report.txt", report_by_class(test.y_test, found.predicted))


def _draw_latent(run: TrackedRun, model: keras.Model, test: Dataset) -> None:
    """Draw the plane of a two-dimensional code (first paper, figures 64 and 65)."""
    from gauntlet.autoencoders.encoder import decoder_of, encoder_of
    from gauntlet.evaluation.latent_figures import draw_manifold, draw_scatter
    from gauntlet.training.keras_loops import predict

    codes = predict(encoder_of(model), test.x_test)
    run.figure("latent_space.png", draw_scatter(codes, test.y_test, "test images in latent space"))
    plane = np.stack(np.meshgrid(MANIFOLD, MANIFOLD[::-1]), axis=-1).reshape(-1, 2)
    digits = predict(decoder_of(model), plane.astype(np.float32))
    run.figure("manifold.png", draw_manifold(digits, MANIFOLD, "decoded latent space"))
