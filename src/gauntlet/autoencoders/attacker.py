"""FUNN's attacker (second paper, section 3.2), and the metrics of both players."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gauntlet.arrays import Images, Tensor
from gauntlet.autoencoders.convolutional import encode, generate
from gauntlet.training.keras_loops import predict

NEAR_CONSTANT = 1e-3
"""Variance over pixels below which an attack image counts as constant. If beta is too large, the
attacker converges to a black image (section 4.3)."""


PARTS = ("attacker_encoder", "attacker_generator")


class Attacker(NamedTuple):
    """The network that perturbs images: A(x, u) = generator(encoder(x), u).

    Attributes:
        encoder: from images to features `(n, k)`.
        generator: from features joined with uniform numbers u in [0, 1), `(n, k + m)`, to images.
    """

    encoder: keras.Model
    generator: keras.Model

    @classmethod
    def of(cls, models: Mapping[str, keras.Model]) -> Attacker:
        """Return the attacker whose parts are among these models by name."""
        return cls(*(models[name] for name in PARTS))

    @property
    def models(self) -> dict[str, keras.Model]:
        """Its parts by name."""
        return dict(zip(PARTS, self, strict=True))

    def attack(self, images: Images, seed: int) -> Images:
        """Return A(x, u) for images x; the seed decides u."""
        features = predict(self.encoder, images)
        noise_size = self.generator.input_shape[1] - features.shape[1]
        noise = np.random.default_rng(seed).random((len(images), noise_size), np.float32)
        return predict(self.generator, np.concatenate([features, noise], axis=1))


def build_attacker(
    image_shape: tuple[int, ...], filters: tuple[int, ...], features: int, noise: int
) -> Attacker:
    """Return an untrained attacker: the defender's networks, with `noise` numbers more."""
    image = keras.Input(image_shape, name="image")
    code = keras.Input((features + noise,), name="features_and_noise")
    encoded = encode(image, filters, features)
    return Attacker(
        keras.Model(image, encoded, name="attacker_encoder"),
        keras.Model(code, generate(code, filters, image_shape), name="attacker_generator"),
    )


def game_metrics(
    stage: str,
    images: Images,
    attacked: Images,
    restored: Images,
) -> Iterator[tuple[str, float]]:
    """Yield how far attack images and the defender's output are from the images.

    Args:
        stage: `train` or `val`, the first part of the names.
        images: x.
        attacked: A(x, u).
        restored: D(A(x, u)).
    """
    metrics = {**attacker_metrics(images, attacked), **defender_metrics(images, restored)}
    for name, value in metrics.items():
        yield f"{stage}/{name}", float(value)


def attacker_metrics(x: Tensor, attacked: Tensor) -> dict[str, Tensor]:
    """Return the distortion of attack images, and the share of them that is nearly constant.

    Both arguments are images; so for the functions below.
    """
    variance = tf.math.reduce_variance(attacked, axis=(1, 2, 3))
    nearly_constant = tf.cast(variance < NEAR_CONSTANT, tf.float32)
    return distance("attacker_distortion", x, attacked) | {
        "near_constant": tf.reduce_mean(nearly_constant)
    }


def defender_metrics(x: Tensor, restored: Tensor) -> dict[str, Tensor]:
    """Return how far the defender's output D(A(x, u)) is from x."""
    return distance("defender_error", x, restored)


def distance(name: str, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return the mean squared error, and the L2 norm of the difference averaged over images."""
    flat = tf.reshape(x - y, (tf.shape(x)[0], -1))
    return {name: mean_squared_error(x, y), f"{name}_l2": tf.reduce_mean(tf.norm(flat, axis=1))}


def mean_squared_error(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean of squared differences over images and pixels, a scalar."""
    return tf.reduce_mean(tf.math.squared_difference(x, y))
