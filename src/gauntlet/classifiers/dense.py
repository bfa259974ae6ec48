"""The first paper's neural network (section 5.2.2): the autoencoder's encoder, then the classes."""

from __future__ import annotations

import keras
from keras import layers


def build(
    image_shape: tuple[int, ...],
    n_classes: int,
    seed: int,
    *,
    widths: tuple[int, ...],
    activation: str,
) -> keras.Model:
    """Return an untrained 784-504-28-10 network (for the default widths) that ends in logits.

    Args:
        image_shape: `(height, width, channels)`.
        n_classes: how many logits.
        seed: unused; no layer draws.
        widths: of the hidden layers.
        activation: theirs.
    """
    del seed
    image = keras.Input(image_shape, name="image")
    x = layers.Flatten()(image)
    for width in widths:
        x = layers.Dense(width, activation)(x)
    return keras.Model(image, layers.Dense(n_classes, name="logits")(x), name="dense")
