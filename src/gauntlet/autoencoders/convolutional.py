"""The second paper's encoder and generator (section 4.1) for images of any size.

Convolutions 3x3, stride 2, ReLU; linear features; output (1 + tanh) / 2. The paper's figure of the
networks is lost, so the number of filters is a parameter, and the generator mirrors the encoder.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from gauntlet.autoencoders.layers import CODE
from gauntlet.config.models import AutoencoderConfig


def build_convolutional(config: AutoencoderConfig, image_shape: tuple[int, ...]) -> keras.Model:
    """Return an untrained autoencoder `(n, *image_shape)` -> the same in [0, 1]."""
    image = keras.Input(image_shape, name="image")
    code = encode(config, image)
    return keras.Model(image, generate(config, code, image_shape), name=config.autoencoder)


def encode(config: AutoencoderConfig, image: keras.KerasTensor) -> keras.KerasTensor:
    """Return the features `(n, config.features)` of images, without activation."""
    x = image
    for filters in config.filters:
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    return layers.Dense(config.features, name=CODE)(layers.Flatten()(x))


def generate(
    config: AutoencoderConfig, code: keras.KerasTensor, image_shape: tuple[int, ...]
) -> keras.KerasTensor:
    """Return images `(n, *image_shape)` in [0, 1] of codes `(n, k)`.

    The encoder's sizes in reverse (4, 7, 14, 28 for MNIST): each transposed convolution doubles
    the size, and what is one too many is cropped.
    """
    *sizes, smallest = _sizes(image_shape[:2], len(config.filters))
    x = layers.Dense(math.prod(smallest) * config.filters[-1], activation="relu")(code)
    x = layers.Reshape((*smallest, config.filters[-1]))(x)
    for filters, size in zip(config.filters[-2::-1], sizes[:0:-1], strict=True):
        x = _upsample(x, filters, size, "relu")
    return layers.Rescaling(0.5, offset=0.5)(_upsample(x, image_shape[2], sizes[0], "tanh"))


def _sizes(size: tuple[int, ...], convolutions: int) -> list[tuple[int, ...]]:
    """Return the size of an image before and after each convolution of stride 2."""
    return [tuple(-(-side // 2**i) for side in size) for i in range(convolutions + 1)]


def _upsample(
    x: keras.KerasTensor, filters: int, size: tuple[int, ...], activation: str
) -> keras.KerasTensor:
    up = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation=activation)
    excess = [(0, 2 * now - then) for now, then in zip(x.shape[1:3], size, strict=True)]
    return layers.Cropping2D(excess)(up(x)) if any(map(any, excess)) else up(x)
