"""Carlini and Wagner's MNIST network (2017, table I), which MagNet and others defend."""

from __future__ import annotations

import keras
from keras import layers

from gauntlet.seeding import child_seed

SMALLEST_VALID = 20
"""Pixels a side below which unpadded convolutions leave too few pixels to pool."""


def build(image_shape: tuple[int, ...], n_classes: int, seed: int) -> keras.Model:
    """Return an untrained network of two convolutional blocks and two hidden layers.

    Its dropout draws from a seed of its own and is off outside training.
    """
    # As published on MNIST; an 8x8 image would be used up before the second block ends.
    padding = "valid" if min(image_shape[:2]) >= SMALLEST_VALID else "same"
    image = keras.Input(image_shape, name="image")
    x = image
    for filters in (32, 64):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding=padding, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(200, "relu")(layers.Flatten()(x))
    x = layers.Dropout(0.5, seed=child_seed(seed, "classifier", "dropout"))(x)
    x = layers.Dense(200, "relu")(x)
    return keras.Model(image, layers.Dense(n_classes, name="logits")(x), name="convolutional")
