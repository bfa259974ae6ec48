"""MagNet's two autoencoders for MNIST (Meng and Chen 2017), and the noise they learn on.

Three filters of 3x3 in every convolution, sigmoids all the way, and no code: an image stays one.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from gauntlet.autoencoders.training import train as train_plainly
from gauntlet.catalogue.autoencoders import Autoencoder
from gauntlet.catalogue.parameters import Value
from gauntlet.catalogue.trainings import Training
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport
from gauntlet.training.outcome import Outcome

FILTERS = 3
ACTIVITY = 1e-9
"""Weight of the L2 penalty on what each convolution puts out (the authors' code)."""


def pooling(image_shape: tuple[int, ...], seed: int) -> keras.Model:
    """Return the untrained, uncompiled reformer and detector I; nothing in it draws."""
    del seed
    return _build("magnet_1", image_shape, pools=True)


def plain(image_shape: tuple[int, ...], seed: int) -> keras.Model:
    """Return the untrained, uncompiled detector II; nothing in it draws."""
    del seed
    return _build("magnet_2", image_shape, pools=False)


def _build(name: str, image_shape: tuple[int, ...], *, pools: bool) -> keras.Model:
    image = keras.Input(image_shape, name="image")
    x = _convolution(FILTERS)(image)
    if pools:
        x = layers.AveragePooling2D(2, padding="same")(x)
        x = _convolution(FILTERS)(_convolution(FILTERS)(x))
        x = layers.UpSampling2D(2)(x)
        # An odd side was padded to be pooled, and has come back a pixel longer.
        x = layers.Cropping2D(tuple((0, side % 2) for side in image_shape[:2]))(x)
    x = _convolution(image_shape[-1])(_convolution(FILTERS)(x))
    return keras.Model(image, x, name=name)


def train(
    training: Training[Autoencoder],
    images: NDArray[np.float32],
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
    *,
    noise: float,
    validation_size: int,
    **schedule: Value,
) -> Outcome:
    """Train to remove Gaussian noise; see `gauntlet.autoencoders.training.train`.

    Args:
        training: a network of this module.
        images: `(n, height, width, channels)` in [0, 1].
        report: called after every epoch.
        checkpoint: where the training is kept between epochs; none: nowhere.
        noise: standard deviation of the noise, in [0, 1] pixel units.
        validation_size: how many of the last images are held out; they stay clean.
        schedule: epochs, batch size, learning rate and loss.
    """
    noisy = noisy_once(images, noise, validation_size, training.seed)
    given = {**schedule, "validation_size": validation_size, "inputs": noisy}
    return train_plainly(training, images, report, checkpoint, **given)


def noisy_once(
    images: NDArray[np.float32], noise: float, validation_size: int, seed: int
) -> NDArray[np.float32]:
    """Return training images `(n, h, w, c)` with Gaussian noise, clipped to [0, 1].

    Drawn once, not anew each epoch (the authors' code). The held-out images at the end stay clean.
    """
    cut = len(images) - validation_size
    random = np.random.default_rng(child_seed(seed, "autoencoder", "noise"))
    drawn = random.standard_normal(images[:cut].shape, np.float32) * np.float32(noise)
    return np.concatenate([np.clip(images[:cut] + drawn, 0, 1), images[cut:]])


def _convolution(filters: int) -> layers.Conv2D:
    penalty = keras.regularizers.L2(ACTIVITY)
    return layers.Conv2D(
        filters, 3, padding="same", activation="sigmoid", activity_regularizer=penalty
    )
