"""Train the classifier that a config names."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.checkpoint import Checkpoint
from gauntlet.classifiers.dense import train_dense
from gauntlet.classifiers.logistic_regression import train_logistic_regression
from gauntlet.config.models import ClassifierConfig
from gauntlet.networks import EpochReport


def train_classifier(
    config: ClassifierConfig,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_classes: int,
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
) -> keras.Model:
    """Return a trained model from images `(n, h, w, c)` to logits `(n, classes)`."""
    if config.classifier == "logistic_regression":
        return train_logistic_regression(images, labels, config.validation_size, report)
    return train_dense(config, images, labels, n_classes, report, checkpoint)
