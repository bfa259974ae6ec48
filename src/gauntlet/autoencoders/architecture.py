"""The first paper's autoencoders, 784-504-28-28-504-784 (Fig. 2), as plain functional models.

Encoder: ReLU. Decoder: ReLU, exponential, softplus output (section 4.2). The kinds differ only in
what stands around the code: `sparse` adds a penalty on it (5.3), `denoising` noise before the
encoder (5.4), `variational` a sampled latent after it (5.5). The second paper's networks are in
`convolutional`, MagNet's two in `magnet`.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from gauntlet.autoencoders.convolutional import build_convolutional
from gauntlet.autoencoders.layers import CODE, KLSparsity, Sampling, TrainingNoise
from gauntlet.autoencoders.magnet import build_magnet
from gauntlet.config.models import AutoencoderConfig
from gauntlet.config.published import MAGNET
from gauntlet.seeding import child_seed


def build_autoencoder(config: AutoencoderConfig, image_shape: tuple[int, ...]) -> keras.Model:
    """Return an untrained, uncompiled model `(n, *image_shape)` -> `(n, *image_shape)`."""
    if config.autoencoder in ("convolutional", "funn"):
        return build_convolutional(config, image_shape)
    if config.autoencoder in MAGNET:
        return build_magnet(config, image_shape)
    image = keras.Input(image_shape, name="image")
    x = layers.Flatten()(image)
    if config.autoencoder == "denoising" and config.noise > 0:
        x = TrainingNoise(config.noise, child_seed(config.seed, "autoencoder", "noise"))(x)
    code = _encode(config, x)
    for width in reversed(config.widths[1:]):
        code = layers.Dense(width, config.activation)(code)
    x = layers.Dense(config.widths[0], config.pre_output_activation)(code)
    x = layers.Dense(math.prod(image_shape), config.output_activation)(x)
    return keras.Model(image, layers.Reshape(image_shape)(x), name=config.autoencoder)


def _encode(config: AutoencoderConfig, x: keras.KerasTensor) -> keras.KerasTensor:
    for width in config.widths[:-1]:
        x = layers.Dense(width, config.activation)(x)
    if config.autoencoder == "variational":
        x = layers.Dense(config.widths[-1], config.activation)(x)
        mean, log_variance = (layers.Dense(config.latent)(x) for _ in range(2))
        return Sampling(child_seed(config.seed, "autoencoder", "latent"), name=CODE)(
            (mean, log_variance)
        )
    return _code_layer(config)(x)


def _code_layer(config: AutoencoderConfig) -> layers.Dense:
    width = config.widths[-1]
    if config.autoencoder != "sparse":
        return layers.Dense(width, config.activation, name=CODE)
    if config.sparsity_penalty == "l1":
        penalty = keras.regularizers.L1(config.sparsity_weight)
        return layers.Dense(width, config.activation, activity_regularizer=penalty, name=CODE)
    # KL compares means of Bernoulli units, so the code must lie in (0, 1).
    kl = KLSparsity(config.sparsity_weight, config.sparsity_target)
    return layers.Dense(width, "sigmoid", activity_regularizer=kl, name=CODE)
