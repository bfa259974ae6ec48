"""What an autoencoder is worth on test images: its scale, its loss, and what is comparable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from gauntlet.autoencoders.encoder import reconstruct
from gauntlet.autoencoders.training import ReconstructionLoss, reconstruction_loss
from gauntlet.catalogue.autoencoders import Autoencoder
from gauntlet.catalogue.trainings import Training
from gauntlet.training.outcome import Examination


def examine(
    training: Training[Autoencoder],
    models: Mapping[str, keras.Model],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> Examination:
    """Measure an autoencoder.

    Args:
        training: how it was trained.
        models: it, as `model`.
        images: `(n, height, width, channels)` in [0, 1].
        labels: unused.
    """
    del labels
    output = reconstruct(models["model"], images)
    given = training.training_arguments
    loss = reconstruction_loss(given["loss"], given.get("sum_over_pixels", False))
    metrics = (*output_scale(output), *reconstruction_metrics(loss, images, output))
    return Examination(metrics, {"image": images, "reconstruction": output})


def output_scale(output: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
    """Yield the output's mean and maximum.

    Without this scale an epsilon under threat model `encoded` cannot be interpreted.
    """
    yield "autoencoder/output_mean", float(output.mean(dtype=np.float64))
    yield "autoencoder/output_max", float(output.max())


def reconstruction_metrics(
    loss: ReconstructionLoss, images: NDArray[np.float32], output: NDArray[np.float32]
) -> Iterator[tuple[str, float]]:
    """Yield the training loss on test images, and what is comparable across losses and kinds.

    The mean squared error is per pixel; the relative one first scales each output to its image,
    because `categorical_crossentropy` leaves the scale free.
    """
    losses = loss.call(images, output)
    yield "test/loss", float(np.mean(ops.convert_to_numpy(losses)))
    yield "test/mean_squared_error", float(np.square(images - output).mean(dtype=np.float64))
    x, y = (a.reshape(len(a), -1).astype(np.float64) for a in (images, output))
    scale = (x * y).sum(axis=1) / np.maximum((y * y).sum(axis=1), 1e-12)
    scaled = np.square(x - scale[:, None] * y).mean()
    yield "test/mean_squared_error_at_best_scale", float(scaled)
