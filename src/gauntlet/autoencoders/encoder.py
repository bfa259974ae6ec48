"""An autoencoder's output, and its halves before and behind the code."""

from __future__ import annotations

import keras
import numpy as np

from gauntlet.arrays import Images
from gauntlet.autoencoders.layers import CODE
from gauntlet.catalogue.classifiers import Inputs
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


def reconstruct(model: keras.Model, images: Images) -> Images:
    """Return the autoencoder's output for images, same shape; deterministic.

    Raises:
        DivergenceError: an output is NaN or infinite.
    """
    output = predict(model, images)
    if not np.isfinite(output).all():
        raise DivergenceError(
            "the autoencoder gives NaN or infinite pixels: train it at a lower rate."
        )
    return output


def seen_by(inputs: Inputs, autoencoder: keras.Model, images: Images) -> Images:
    """Return what a classifier that learns from `inputs` sees of images behind an autoencoder.

    Raises:
        DivergenceError: an output is NaN or infinite.
    """
    if inputs == "raw":
        return images
    return reconstruct(encoder_of(autoencoder) if inputs == "features" else autoencoder, images)
