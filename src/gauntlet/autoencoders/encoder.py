"""An autoencoder's output, and its halves before and behind the code."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.autoencoders.layers import CODE
from gauntlet.errors import DivergenceError
from gauntlet.training.keras_loops import predict


def encoder_of(autoencoder: keras.Model) -> keras.Model:
    """Return the model from images to features `(n, features)`; it shares the layers' weights.

    The defence `features` puts a classifier behind it (second paper, section 3.1). The features of
    a variational autoencoder, outside training, are the mean of its latent.
    """
    return keras.Model(autoencoder.input, autoencoder.get_layer(CODE).output, name="encoder")


def decoder_of(autoencoder: keras.Model) -> keras.Model:
    """Return the model from features to images; it shares the layers' weights."""
    code = autoencoder.get_layer(CODE).output
    return keras.Model(code, autoencoder.output, name="decoder")


def reconstruct(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the autoencoder's output for images, same shape; deterministic.

    Raises:
        DivergenceError: an output is NaN or infinite.
    """
    output = predict(model, images)
    if not np.isfinite(output).all():
        raise DivergenceError(
            "the autoencoder gives NaN or infinite pixels. Lower --learning_rate or choose a "
            "bounded --pre_output_activation."
        )
    return output
