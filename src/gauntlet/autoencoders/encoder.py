"""The half of an autoencoder that a classifier on features stands on (second paper, 3.1)."""

from __future__ import annotations

import keras

from gauntlet.autoencoders.layers import CODE


def encoder_of(autoencoder: keras.Model) -> keras.Model:
    """Return the model from images to features `(n, features)`; it shares the layers' weights.

    Outside training a variational autoencoder's features are the mean of its latent.
    """
    return keras.Model(autoencoder.input, autoencoder.get_layer(CODE).output, name="encoder")
