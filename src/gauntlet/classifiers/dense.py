"""The first paper's neural network (section 5.2.2): the autoencoder's encoder, then the classes."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from gauntlet.checkpoint import Checkpoint
from gauntlet.config.models import ClassifierConfig
from gauntlet.networks import EpochReport, fit
from gauntlet.runtime import start_from
from gauntlet.seeding import child_seed


def build_dense(
    config: ClassifierConfig, image_shape: tuple[int, ...], n_classes: int
) -> keras.Model:
    """Return an untrained 784-504-28-10 network (for the default widths) that ends in logits."""
    image = keras.Input(image_shape, name="image")
    x = layers.Flatten()(image)
    for width in config.widths:
        x = layers.Dense(width, config.activation)(x)
    return keras.Model(image, layers.Dense(n_classes, name="logits")(x), name="dense")


def train_dense(
    config: ClassifierConfig,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_classes: int,
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
) -> keras.Model:
    """Train with Adam on the cross entropy of the logits."""
    seed = child_seed(config.seed, "classifier")
    start_from(seed)
    model = build_dense(config, images.shape[1:], n_classes)
    model.compile(
        keras.optimizers.Adam(config.schedule.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    fit(
        model,
        images,
        labels,
        config.schedule,
        config.validation_size,
        report,
        seed=seed,
        checkpoint=checkpoint,
    )
    return model
