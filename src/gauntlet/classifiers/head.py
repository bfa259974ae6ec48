"""The second paper's classifier on features (section 4.1): one hidden layer, then the classes."""

from __future__ import annotations

import keras
from keras import layers

from gauntlet.config.models import ClassifierConfig


def build_head(
    config: ClassifierConfig, features_shape: tuple[int, ...], n_classes: int
) -> keras.Model:
    """Return an untrained network from features `(n, features)` to logits."""
    features = keras.Input(features_shape, name="features")
    x = layers.Dense(config.head_units, "relu")(features)
    return keras.Model(features, layers.Dense(n_classes, name="logits")(x), name="head")
