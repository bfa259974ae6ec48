"""Backward pass differentiable approximation, BPDA (Athalye, Carlini and Wagner 2018, section 4.1).

A filter that rounds, draws or searches has no gradient of use, so an attack that follows it fails
and tells nothing. BPDA sends the image through the filter, and the gradient through a function that
is about the same and smooth: the filter's stand-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import tensorflow as tf
from keras import ops

from gauntlet.arrays import Tensor
from gauntlet.defences.defended_model import Parts

Function = Callable[[Tensor], Tensor]
"""From images to images of the same shape."""


class Filter(keras.layers.Layer):
    """A filter whose gradient is that of its stand-in."""

    def __init__(self, exact: Function, stand_in: Function) -> None:
        super().__init__()
        self.exact = exact
        self.stand_in = stand_in

    def call(self, images: Tensor) -> Tensor:
        """Return what the filter makes of images `(n, height, width, channels)`."""
        return _in_place_of(ops.stop_gradient(self.exact(images)), self.stand_in(images))


@tf.custom_gradient
def _in_place_of(value: Tensor, stand_in: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
    """Return a value whose gradient goes to what stands in for it."""
    del stand_in
    return tf.identity(value), lambda upstream: (tf.zeros_like(upstream), upstream)


def with_stand_in(exact: keras.Model, name: str, parts: Parts) -> keras.Model:
    """Return a filter with the gradient of a stand-in.

    Args:
        exact: the filter, from images to images of the same shape.
        name: of the stand-in, in `STAND_INS`.
        parts: of the defence.
    """
    image = keras.Input(exact.input_shape[1:])
    return keras.Model(image, Filter(exact, STAND_INS[name](parts))(image))


def _identity(parts: Parts) -> Function:
    del parts
    return lambda images: images


def _autoencoder(parts: Parts) -> Function:
    first: Function = parts.autoencoders[0]
    return first


STAND_INS: Mapping[str, Callable[[Parts], Function]] = {
    "identity": _identity,
    "autoencoder": _autoencoder,
}
"""By the name that a defence declares; see `Defence.stand_in`."""
