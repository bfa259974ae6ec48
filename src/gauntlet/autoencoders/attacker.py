"""FUNN's attacker (second paper, section 3.2), and what is measured of a pair of players."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.autoencoders.convolutional import encode, generate
from gauntlet.config.models import AutoencoderConfig
from gauntlet.training.keras_loops import predict

NEAR_CONSTANT = 1e-3
"""Variance over pixels below which an attack image counts as constant: the black image to which
the attacker converges when beta is too large (section 4.3)."""


class Attacker(NamedTuple):
    """The network that perturbs: A(x, u) = generator(encoder(x), u).

    Attributes:
        encoder: images `(n, h, w, c)` to features `(n, k)`.
        generator: features beside uniform numbers in [0, 1), `(n, k + m)`, to images in [0, 1].
    """

    encoder: keras.Model
    generator: keras.Model

    def attack(self, images: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
        """Return A(x, u) of images `(n, h, w, c)`, u drawn from the seed."""
        features = predict(self.encoder, images)
        noise_size = self.generator.input_shape[1] - features.shape[1]
        noise = np.random.default_rng(seed).random((len(images), noise_size), np.float32)
        return predict(self.generator, np.concatenate([features, noise], axis=1))


def build_attacker(config: AutoencoderConfig, image_shape: tuple[int, ...]) -> Attacker:
    """Return an untrained attacker: the defender's networks, with numbers beside the features."""
    image = keras.Input(image_shape, name="image")
    features = keras.Input((config.features + config.attacker_noise,), name="features_and_noise")
    return Attacker(
        keras.Model(image, encode(config, image), name="attacker_encoder"),
        keras.Model(features, generate(config, features, image_shape), name="attacker_generator"),
    )


def game_metrics(
    stage: str,
    images: NDArray[np.float32],
    attacked: NDArray[np.float32],
    restored: NDArray[np.float32],
) -> Iterator[tuple[str, float]]:
    """Yield what the attack changed and what the defender missed, as MSE and as L2 norm."""
    metrics = {**attack_metrics(images, attacked), **defence_metrics(images, restored)}
    for name, value in metrics.items():
        yield f"{stage}/{name}", float(value)


def attack_metrics(x: Any, attacked: Any) -> dict[str, Any]:
    """Return the distortion of attack images, and the share of them that is nearly constant."""
    variance = tf.math.reduce_variance(attacked, axis=(1, 2, 3))
    nearly_constant = tf.cast(variance < NEAR_CONSTANT, tf.float32)
    return distance("attacker_distortion", x, attacked) | {
        "near_constant": tf.reduce_mean(nearly_constant)
    }


def defence_metrics(x: Any, restored: Any) -> dict[str, Any]:
    """Return how far the defender's D(A(x, u)) is from x."""
    return distance("defender_error", x, restored)


def distance(name: str, x: Any, y: Any) -> dict[str, Any]:
    """Return the mean squared error, and the mean over images of the L2 norm of the difference."""
    flat = tf.reshape(x - y, (tf.shape(x)[0], -1))
    return {name: mean_squared_error(x, y), f"{name}_l2": tf.reduce_mean(tf.norm(flat, axis=1))}


def mean_squared_error(x: Any, y: Any) -> Any:
    """Return the mean over images and pixels."""
    return tf.reduce_mean(tf.math.squared_difference(x, y))
