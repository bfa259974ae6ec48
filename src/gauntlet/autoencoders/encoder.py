"""The halves of an autoencoder, before and behind its code."""

from __future__ import annotations

import keras

from gauntlet.autoencoders.layers import CODE


def encoder_of(autoencoder: keras.Model) -> keras.Model:
    """Return the model from images to features `(n, features)`; it shares the layers' weights.

    A classifier on features stands on it (second paper, 3.1).

    Outside training a variational autoencoder's features are the mean of its latent.
    """
    return keras.Model(autoencoder.input, autoencoder.get_layer(CODE).output, name="encoder")


def decoder_of(autoencoder: keras.Model) -> keras.Model:
    """Return the model from features to images; it shares the layers' weights."""
    code = autoencoder.get_layer(CODE).output
    return keras.Model(code, autoencoder.output, name="decoder")
