"""The second paper's encoder and generator (section 4.1) for images of any size.

Convolutions 3x3, stride 2, ReLU; linear features; output (1 + tanh) / 2. The paper's figure of the
networks is lost, so the number of filters is a parameter, and the generator mirrors the encoder.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from gauntlet.autoencoders.layers import CODE


def build(
    image_shape: tuple[int, ...], seed: int, *, filters: tuple[int, ...], features: int
) -> keras.Model:
    """Return an untrained autoencoder `(n, *image_shape)` -> the same in [0, 1].

    Args:
        image_shape: `(height, width, channels)`.
        seed: unused; no layer draws.
        filters: of each convolution of the encoder.
        features: size of the code.
    """
    del seed
    image = keras.Input(image_shape, name="image")
    code = encode(image, filters, features)
    return keras.Model(image, generate(code, filters, image_shape), name="convolutional")


def encode(image: keras.KerasTensor, filters: tuple[int, ...], features: int) -> keras.KerasTensor:
    """Return the features `(n, features)` of images, without activation."""
    x = image
    for several in filters:
        x = layers.Conv2D(several, 3, strides=2, padding="same", activation="relu")(x)
    return layers.Dense(features, name=CODE)(layers.Flatten()(x))


def generate(
    code: keras.KerasTensor, filters: tuple[int, ...], image_shape: tuple[int, ...]
) -> keras.KerasTensor:
    """Return images `(n, *image_shape)` in [0, 1] of codes `(n, k)`.

    The encoder's sizes in reverse (4, 7, 14, 28 for MNIST): each transposed convolution doubles
    the size, and what is one too many is cropped.
    """
    *sizes, smallest = _sizes(image_shape[:2], len(filters))
    x = layers.Dense(math.prod(smallest) * filters[-1], activation="relu")(code)
    x = layers.Reshape((*smallest, filters[-1]))(x)
    for several, size in zip(filters[-2::-1], sizes[:0:-1], strict=True):
        x = _upsample(x, several, size, "relu")
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
