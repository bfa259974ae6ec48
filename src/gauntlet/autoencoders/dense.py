"""The first paper's autoencoders, 784-504-28-28-504-784 (Fig. 2), as plain functional models.

Encoder: ReLU. Decoder: ReLU, exponential, softplus output (section 4.2). The kinds differ only in
what stands around the code: `sparse` adds a penalty on it (5.3), `denoising` noise before the
encoder (5.4), `variational` a sampled latent after it (5.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import keras
from keras import layers

from gauntlet.arrays import Tensor
from gauntlet.autoencoders.layers import CODE, KLSparsity, Sampling, TrainingNoise
from gauntlet.catalogue.parameters import Value
from gauntlet.seeding import child_seed

Layer: TypeAlias = Callable[[Tensor], Tensor]
"""From a symbolic tensor to the next."""


@dataclass(frozen=True)
class Dense:
    """Widths and activations that all four kinds share.

    Attributes:
        widths: of the encoder's layers, the code last; the decoder mirrors them.
        activation: of the hidden layers but the last.
        pre_output_activation: of the last hidden layer.
        output_activation: of the output.
    """

    widths: tuple[int, ...]
    activation: str
    pre_output_activation: str
    output_activation: str

    def build(
        self, name: str, image_shape: tuple[int, ...], code: Layer, before: Layer | None = None
    ) -> keras.Model:
        """Return an untrained, uncompiled model `(n, *image_shape)` -> `(n, *image_shape)`.

        Args:
            name: of the model.
            image_shape: `(height, width, channels)`.
            code: makes the code of the last hidden layer of the encoder.
            before: what the flat image goes through first.
        """
        image = keras.Input(image_shape, name="image")
        x = layers.Flatten()(image)
        x = before(x) if before else x
        for width in self.widths[:-1]:
            x = layers.Dense(width, self.activation)(x)
        x = code(x)
        for width in reversed(self.widths[1:]):
            x = layers.Dense(width, self.activation)(x)
        x = layers.Dense(self.widths[0], self.pre_output_activation)(x)
        x = layers.Dense(math.prod(image_shape), self.output_activation)(x)
        return keras.Model(image, layers.Reshape(image_shape)(x), name=name)

    def code(
        self,
        x: Tensor,
        activation: str | None = None,
        penalty: keras.regularizers.Regularizer | None = None,
    ) -> Tensor:
        """Return the code of the last hidden layer of the encoder.

        The layer is made here, and not before: Keras draws the seed of each layer's weights when it
        makes the layer, so the order in which layers are made decides their weights.
        """
        layer = layers.Dense(
            self.widths[-1],
            activation or self.activation,
            activity_regularizer=penalty,
            name=CODE,
        )
        return layer(x)


def vanilla(image_shape: tuple[int, ...], seed: int, **dense: Value) -> keras.Model:
    """Return the untrained network of the paper's figure 2; see `Dense` for its arguments."""
    del seed
    shape = Dense(**dense)
    return shape.build("vanilla", image_shape, shape.code)


def sparse(
    image_shape: tuple[int, ...],
    seed: int,
    *,
    penalty: str,
    weight: float,
    target: float,
    **dense: Value,
) -> keras.Model:
    """Return the network with a penalty on its code.

    Args:
        image_shape: `(height, width, channels)`.
        seed: unused; the penalty draws nothing.
        penalty: `l1`, or `kl`: divergence of each unit's mean activation from `target`.
        weight: of the penalty.
        target: wanted mean activation, in (0, 1).
        dense: see `Dense`.
    """
    del seed
    shape = Dense(**dense)

    def code(x: Tensor) -> Tensor:
        if penalty == "l1":
            return shape.code(x, penalty=keras.regularizers.L1(weight))
        # KL compares means of Bernoulli units, so the code must lie in (0, 1).
        return shape.code(x, "sigmoid", KLSparsity(weight, target))

    return shape.build("sparse", image_shape, code)


def denoising(
    image_shape: tuple[int, ...], seed: int, *, noise: float, **dense: Value
) -> keras.Model:
    """Return the network with Gaussian noise of deviation `noise` before it, in training alone."""
    shape = Dense(**dense)
    layer = TrainingNoise(noise, child_seed(seed, "autoencoder", "noise")) if noise > 0 else None
    return shape.build("denoising", image_shape, shape.code, layer)


def variational(
    image_shape: tuple[int, ...], seed: int, *, latent: int, **dense: Value
) -> keras.Model:
    """Return the network with a sampled latent of `latent` dimensions in the place of its code."""
    shape = Dense(**dense)

    def code(x: Tensor) -> Tensor:
        x = layers.Dense(shape.widths[-1], shape.activation)(x)
        mean, log_variance = (layers.Dense(latent)(x) for _ in range(2))
        sampling = Sampling(child_seed(seed, "autoencoder", "latent"), name=CODE)
        return sampling((mean, log_variance))

    return shape.build("variational", image_shape, code)
