"""A network as a chain of affine blocks with a ReLU between them, read from its Keras layers.

No layer's matrix is written down: its adjoint is its vector-Jacobian product. So a dense layer and
a convolution, whatever its stride and padding, are the same here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from gauntlet.arrays import Floats, Images, Tensor
from gauntlet.catalogue.certificates import AFFINE_AND_RELU
from gauntlet.errors import UsageError
from gauntlet.training.keras_loops import predict

WITH_WEIGHTS = (layers.Dense, layers.Conv2D)
WITHOUT = (layers.Flatten, layers.Reshape)

SAME = 1e-4
"""How far the logits of the blocks may be from the network's, relative to the largest logit."""


@dataclass(frozen=True, eq=False)
class Block:
    """Affine layers in a row.

    Attributes:
        shape: of its input, without the axis of images.
        layers: without activations.
        spreads: the same layers with the absolute values of their weights and without bias: what
            becomes of the radius of an interval.
        offset: the output of zero.
    """

    shape: tuple[int, ...]
    layers: tuple[keras.Layer, ...]
    spreads: tuple[keras.Layer, ...]
    offset: Floats

    def __call__(self, inputs: Tensor) -> Tensor:
        """Map inputs `(n, *shape)` to outputs `(n, ...)`."""
        return _through(self.layers, inputs)

    @property
    def is_one_layer(self) -> bool:
        """Whether one layer at most has weights."""
        return sum(type(layer) in WITH_WEIGHTS for layer in self.layers) <= 1

    def interval(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least and the largest outputs of inputs between two tensors `(n, *shape)`."""
        centre, radius = (low + high) / 2, (high - low) / 2
        for layer, spread in zip(self.layers, self.spreads, strict=True):
            centre, radius = layer(centre), spread(radius)
        return centre - radius, centre + radius

    def adjoint(self, rows: Tensor) -> Tensor:
        """Return coefficients of inputs `(m, *shape)` from coefficients of outputs `(m, ...)`."""
        inputs = tf.zeros((tf.shape(rows)[0], *self.shape))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            outputs = self(inputs)
        return tape.gradient(outputs, inputs, output_gradients=rows)


def blocks_of(model: keras.Model, images: Images) -> tuple[Block, ...]:
    """Return the blocks of a network that ends in logits; a ReLU stands behind all but the last.

    Args:
        model: from images to logits.
        images: `(n, ...)`; the blocks must give the network's logits for them.

    Raises:
        UsageError: a layer or an activation is none of those that are known, or the layers are no
            chain, as the logits tell then.
    """
    rows: list[list[keras.Layer]] = [[]]
    for layer in _leaves(model):
        rows[-1] += _affine(layer)
        if _is_relu(layer):
            rows.append([])
    blocks = tuple(_built(rows, images[:1]))
    _check_logits(blocks, model, images)
    return blocks


def _leaves(model: keras.Model) -> Iterator[keras.Operation]:
    """Yield the layers that compute, in order, out of networks inside networks."""
    for layer in getattr(model, "operations", model.layers):
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif not isinstance(layer, layers.InputLayer):
            yield layer


def _affine(layer: keras.Operation) -> list[keras.Layer]:
    """Return the affine part of a layer: none of an activation that stands alone."""
    _check_activation(layer)
    if type(layer) in WITH_WEIGHTS:
        return [_linear(layer)]
    if type(layer) in WITHOUT:
        return [layer]
    if type(layer) in (layers.Activation, layers.ReLU):
        return []
    raise _unknown(f"layer {layer.name}, a {type(layer).__name__}")


def _linear(layer: keras.Layer) -> keras.Layer:
    """Return a copy of a layer without activation."""
    copy = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    copy.build(layer.get_build_config()["input_shape"])
    copy.set_weights(layer.get_weights())
    return copy


def _spread(layer: keras.Layer) -> keras.Layer:
    if type(layer) in WITHOUT:
        return layer
    copy = _linear(layer)
    kernel, *bias = layer.get_weights()
    copy.set_weights([np.abs(kernel), *map(np.zeros_like, bias)])
    return copy


def _is_relu(layer: keras.Operation) -> bool:
    return isinstance(layer, layers.ReLU) or _activation(layer) == "relu"


def _activation(layer: keras.Operation) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _check_activation(layer: keras.Operation) -> None:
    if _activation(layer) not in ("relu", "linear"):
        raise _unknown(f"activation {_activation(layer)} of layer {layer.name}")
    if isinstance(layer, layers.ReLU) and (
        layer.max_value is not None or layer.negative_slope or layer.threshold
    ):
        raise _unknown(f"layer {layer.name}, a ReLU with another slope, threshold or ceiling")


def _built(rows: list[list[keras.Layer]], image: Tensor) -> Iterator[Block]:
    for row in rows:
        zero = tf.zeros((1, *image.shape[1:]))
        offset = np.asarray(_through(row, zero))[0]
        block = Block(tuple(zero.shape[1:]), tuple(row), tuple(map(_spread, row)), offset)
        image = block(image)
        yield block


def _through(row: Sequence[keras.Layer], inputs: Tensor) -> Tensor:
    for layer in row:
        inputs = layer(inputs)
    return inputs


def _check_logits(blocks: tuple[Block, ...], model: keras.Model, images: Images) -> None:
    wanted, found = predict(model, images), images
    for block in blocks[:-1]:
        found = tf.nn.relu(block(found))
    found = np.asarray(blocks[-1](found))
    if found.shape != wanted.shape or np.abs(found - wanted).max() > SAME * np.abs(wanted).max():
        raise _unknown("layers that are no chain")


def _unknown(received: str) -> UsageError:
    return UsageError(f"--certificates: expected {AFFINE_AND_RELU}; received {received}.")
