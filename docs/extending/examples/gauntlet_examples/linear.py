"""The autoencoder `linear`."""

from __future__ import annotations

import math

import keras
from keras import layers

from gauntlet.autoencoders.layers import CODE


def build(image_shape: tuple[int, ...], seed: int, *, units: int) -> keras.Model:
    """Return an untrained autoencoder `(n, *image_shape)` -> the same, with a code of `units`."""
    del seed
    image = keras.Input(image_shape, name="image")
    code = layers.Dense(units, name=CODE)(layers.Flatten()(image))
    output = layers.Dense(math.prod(image_shape))(code)
    return keras.Model(image, layers.Reshape(image_shape)(output), name="linear")
