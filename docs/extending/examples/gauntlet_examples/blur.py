"""The defence `blur`."""

from __future__ import annotations

import keras
from keras import layers

from gauntlet.defences.defended_model import DefendedModel, Parts


def build(parts: Parts, *, size: int) -> DefendedModel:
    """Return the classifier behind an average over windows of `size` by `size` pixels."""
    image = keras.Input(parts.classifier.input_shape[1:])
    blurred = layers.AveragePooling2D(size, strides=1, padding="same")(image)
    return DefendedModel(parts.classifier, keras.Model(image, blurred))
