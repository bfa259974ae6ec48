"""The halves of an autoencoder: its encoder and its decoder."""

from __future__ import annotations

import keras

from gauntlet.autoencoders.layers import CODE


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
