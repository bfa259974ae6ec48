"""What a classifier is worth on test images."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.catalogue.classifiers import Classifier
from gauntlet.catalogue.trainings import Training
from gauntlet.evaluation.metrics import clean_metrics
from gauntlet.training.keras_loops import predict
from gauntlet.training.outcome import Examination


def examine(
    training: Training[Classifier],
    models: Mapping[str, keras.Model],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> Examination:
    """Measure a classifier.

    Args:
        training: unused.
        models: it, as `model`.
        images: or features, `(n, ...)`, as it learned from.
        labels: true classes `(n,)`.
    """
    del training
    predicted = predict(models["model"], images).argmax(axis=1)
    return Examination(clean_metrics(labels, predicted), predicted=predicted)
