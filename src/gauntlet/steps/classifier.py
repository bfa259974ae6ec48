"""Entry point `classifier`: data -> (autoencoder ->) trained classifier, as a run of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gauntlet.config.models import ClassifierConfig
from gauntlet.data.dataset import Dataset
from gauntlet.report import chance
from gauntlet.steps.autoencoder import ensure_autoencoder
from gauntlet.steps.console import say
from gauntlet.steps.inputs import load_data
from gauntlet.steps.reuse import Reuse
from gauntlet.steps.session import session
from gauntlet.steps.training_run import TRAINED_BY, TrainingRun, training_run
from gauntlet.tracking.artifacts import StoredModel, load_model, stored_model
from gauntlet.tracking.finished import read_sealed
from gauntlet.tracking.step_cache import Fingerprint

if TYPE_CHECKING:
    import keras

MATRIX = "confusion_matrix.json"

LEARNS_FROM = ("gauntlet.autoencoders.encoder", "gauntlet.autoencoders.training")
"""Modules that compute what a classifier learns from, unless it is the images themselves."""

COMPUTED_BY = (*TRAINED_BY, "gauntlet.classifiers.training", "gauntlet.steps.classifier")


def run(config: ClassifierConfig) -> StoredModel:
    """Train the classifier of a config, and the autoencoder before it if it wants one, or reuse."""
    with session("classifier") as where:
        data = load_data(config)
        autoencoder = None
        if config.train_on != "raw":
            autoencoder = ensure_autoencoder(config.autoencoder_config(), data)
        stored = ensure_classifier(config, data, autoencoder, entry=True)
        _warn(stored)
        say(f"classifier run {stored.run_id}; see it with: {where}")
    return stored


def _warn(stored: StoredModel) -> None:
    """Say if the classifier learned nothing, also where a finished run is reused."""
    counts = read_sealed(stored.run_id).json(MATRIX)["counts"]
    for line in chance.warnings([chance.from_counts("the classifier", counts)]):
        say(f"warning: {line}")


def ensure_classifier(
    config: ClassifierConfig,
    data: Dataset,
    autoencoder: StoredModel | None,
    *,
    entry: bool = False,
) -> StoredModel:
    """Return the trained classifier of a config from the store, training it if it is missing.

    Args:
        config: `train_on` says whether it learns from images, or from what the autoencoder makes.
        data: training and test images.
        autoencoder: for `train_on=encoded` and `train_on=features`.
        entry: take over the run that `mlflow run` opened.
    """
    data = data.for_training
    before = {"autoencoder": autoencoder.weights_sha256} if autoencoder else {}
    learns_from = () if config.train_on == "raw" else LEARNS_FROM
    fingerprint = Fingerprint(
        "classifier",
        _subject(config),
        config.classifier_settings(),
        {"data": data.sha256, **before},
        (*COMPUTED_BY, *learns_from),
    )
    return stored_model(
        Reuse().reuse_or_compute(
            fingerprint, lambda: _train(config, data, autoencoder, fingerprint, entry)
        )
    )


def _subject(config: ClassifierConfig) -> str:
    # With its seed: an attack run also trains the attacker's own model, from another one.
    seed = "" if config.classifier == "logistic_regression" else f", seed {config.seed}"
    return f"{config.classifier} on {config.train_on}{seed}"


def _train(
    config: ClassifierConfig,
    data: Dataset,
    autoencoder: StoredModel | None,
    fingerprint: Fingerprint,
    entry: bool,
) -> None:
    from gauntlet.autoencoders.encoder import encoder_of
    from gauntlet.autoencoders.training import reconstruct
    from gauntlet.classifiers.training import train_classifier

    name = f"{config.classifier} on {config.train_on} {config.dataset} seed {config.seed}"
    with training_run("classifiers", name, config, data, fingerprint, entry) as training:
        x_train, x_test = data.x_train, data.x_test
        if autoencoder is not None:
            training.run.uses_models([autoencoder.model_id])
            training.run.tags({"gauntlet.input.autoencoder": autoencoder.run_id})
            before = load_model(autoencoder)
            if config.train_on == "features":
                before = encoder_of(before)
            x_train, x_test = reconstruct(before, x_train), reconstruct(before, x_test)
        model = train_classifier(
            config, x_train, data.y_train, data.n_classes, training.report, training.checkpoint
        )
        _evaluate(training, model, x_test, data)
        training.finish(model, x_test[:5])


def _evaluate(
    training: TrainingRun, model: keras.Model, x_test: NDArray[np.float32], data: Dataset
) -> None:
    from gauntlet.evaluation.figures import draw_matrices
    from gauntlet.evaluation.metrics import clean_metrics, count_matrix, report_by_class
    from gauntlet.training.keras_loops import predict

    predicted = predict(model, x_test).argmax(axis=1)
    training.run.metrics(clean_metrics(data.y_test, predicted))
    counts = count_matrix(data.y_test, predicted, data.n_classes)
    matrix = {"rows": "true class", "columns": "prediction", "counts": counts.tolist()}
    training.run.json(MATRIX, matrix)
    training.run.figure("confusion_matrix.png", draw_matrices({"clean": matrix}, "test images"))
    training.run.text("classification_report.txt", report_by_class(data.y_test, predicted))
