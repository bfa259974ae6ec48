"""Train the classifier that a config names."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.classifiers.dense import build_dense
from gauntlet.classifiers.head import build_head
from gauntlet.classifiers.logistic_regression import train_logistic_regression
from gauntlet.config.models import ClassifierConfig
from gauntlet.networks import EpochReport, fit
from gauntlet.runtime import start_from
from gauntlet.seeding import child_seed


def train_classifier(
    config: ClassifierConfig,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_classes: int,
    report: EpochReport,
) -> keras.Model:
    """Return a trained model from images `(n, h, w, c)` (or features) to logits `(n, classes)`."""
    if config.classifier == "logistic_regression":
        return train_logistic_regression(images, labels, config.validation_size, report)
    start_from(child_seed(config.seed, "classifier"))
    build = build_head if config.train_on == "features" else build_dense
    model = build(config, images.shape[1:], n_classes)
    model.compile(
        keras.optimizers.Adam(config.schedule.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    fit(model, images, labels, config.schedule, config.validation_size, report)
    return model
