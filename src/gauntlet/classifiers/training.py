"""Train the classifier that a config names."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.classifiers.convolutional import build_convolutional
from gauntlet.classifiers.dense import build_dense
from gauntlet.classifiers.head import build_head
from gauntlet.classifiers.logistic_regression import train_logistic_regression
from gauntlet.config.models import ClassifierConfig
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport, fit
from gauntlet.training.runtime import start_from

BUILDERS = {"dense": build_dense, "convolutional": build_convolutional, "features": build_head}
"""The networks, untrained: `(config, shape of an input, classes)` -> model."""


def train_classifier(
    config: ClassifierConfig,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_classes: int,
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
) -> keras.Model:
    """Return a trained model from images `(n, h, w, c)` (or features) to logits `(n, classes)`."""
    if config.classifier == "logistic_regression":
        return train_logistic_regression(images, labels, config.validation_size, report)
    seed = child_seed(config.seed, "classifier")
    start_from(seed)
    name = config.train_on if config.train_on == "features" else config.classifier
    model = BUILDERS[name](config, images.shape[1:], n_classes)
    model.compile(
        _optimizer(config),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    fit(model, images, labels, config, report, seed=seed, checkpoint=checkpoint)
    return model


def _optimizer(config: ClassifierConfig) -> keras.optimizers.Optimizer:
    rate = config.schedule.learning_rate
    if config.classifier == "convolutional":  # as Carlini and Wagner train it (2017, table II)
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    return keras.optimizers.Adam(rate)
