"""The classifier `softmax`."""

from __future__ import annotations

import keras
from keras import layers


def build(image_shape: tuple[int, ...], n_classes: int, seed: int) -> keras.Model:
    """Return an untrained network `(n, *image_shape)` -> logits `(n, n_classes)`."""
    del seed
    image = keras.Input(image_shape, name="image")
    logits = layers.Dense(n_classes, name="logits")(layers.Flatten()(image))
    return keras.Model(image, logits, name="softmax")
