"""The second paper's classifier on features (section 4.1): one hidden layer, then the classes."""

from __future__ import annotations

import keras
from keras import layers


def build(features_shape: tuple[int, ...], n_classes: int, seed: int, *, units: int) -> keras.Model:
    """Return an untrained network from features `(n, features)` to logits.

    Args:
        features_shape: `(features,)`.
        n_classes: how many logits.
        seed: unused; no layer draws.
        units: of the hidden layer.
    """
    del seed
    features = keras.Input(features_shape, name="features")
    x = layers.Dense(units, "relu")(features)
    return keras.Model(features, layers.Dense(n_classes, name="logits")(x), name="head")
