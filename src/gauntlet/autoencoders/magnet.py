"""MagNet's two autoencoders for MNIST (Meng and Chen 2017), and the noise they learn on.

Three filters of 3x3 in every convolution, sigmoids all the way, and no code: an image stays one.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from gauntlet.config.models import AutoencoderConfig
from gauntlet.seeding import child_seed

FILTERS = 3
ACTIVITY = 1e-9
"""Weight of the L2 penalty on what each convolution puts out (the authors' code)."""


def build_magnet(config: AutoencoderConfig, image_shape: tuple[int, ...]) -> keras.Model:
    """Return an untrained, uncompiled `magnet_1`, which pools, or `magnet_2`, which does not."""
    image = keras.Input(image_shape, name="image")
    x = _convolution(FILTERS)(image)
    if config.autoencoder == "magnet_1":
        x = layers.AveragePooling2D(2, padding="same")(x)
        x = _convolution(FILTERS)(_convolution(FILTERS)(x))
        x = layers.UpSampling2D(2)(x)
        # An odd side was padded to be pooled, and has come back a pixel longer.
        x = layers.Cropping2D(tuple((0, side % 2) for side in image_shape[:2]))(x)
    x = _convolution(image_shape[-1])(_convolution(FILTERS)(x))
    return keras.Model(image, x, name=config.autoencoder)


def noisy_once(config: AutoencoderConfig, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return training images `(n, h, w, c)` with Gaussian noise, clipped to [0, 1].

    Drawn once, not anew each epoch (the authors' code). The held-out images at the end stay clean.
    """
    cut = len(images) - config.validation_size
    random = np.random.default_rng(child_seed(config.seed, "autoencoder", "noise"))
    noise = random.standard_normal(images[:cut].shape, np.float32) * np.float32(config.noise)
    return np.concatenate([np.clip(images[:cut] + noise, 0, 1), images[cut:]])


def _convolution(filters: int) -> layers.Conv2D:
    penalty = keras.regularizers.L2(ACTIVITY)
    return layers.Conv2D(
        filters, 3, padding="same", activation="sigmoid", activity_regularizer=penalty
    )
