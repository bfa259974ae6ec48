"""The first paper's neural network (section 5.2.2): the autoencoder's encoder, then the classes."""

from __future__ import annotations

import keras
from keras import layers

from gauntlet.config.models import ClassifierConfig


def build_dense(
    config: ClassifierConfig, image_shape: tuple[int, ...], n_classes: int
) -> keras.Model:
    """Return an untrained 784-504-28-10 network (for the default widths) that ends in logits."""
    image = keras.Input(image_shape, name="image")
    x = layers.Flatten()(image)
    for width in config.widths:
        x = layers.Dense(width, config.activation)(x)
    return keras.Model(image, layers.Dense(n_classes, name="logits")(x), name="dense")
