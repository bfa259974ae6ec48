"""The defence `snapped`."""

from __future__ import annotations

import keras
from keras import ops

from gauntlet.defences.defended_model import DefendedModel, Parts


def build(parts: Parts) -> DefendedModel:
    """Return the classifier behind the autoencoder's output in black and white."""
    (autoencoder,) = parts.autoencoders
    image = keras.Input(autoencoder.input_shape[1:])
    snapped = ops.cast(autoencoder(image) > 0.5, "float32")
    return DefendedModel(parts.classifier, keras.Model(image, snapped))
