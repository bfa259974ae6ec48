"""Train an autoencoder on images alone: `fit(X, X)` (first paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from gauntlet.autoencoders.architecture import build_autoencoder
from gauntlet.autoencoders.funn import train_funn
from gauntlet.autoencoders.magnet import noisy_once
from gauntlet.config.models import AutoencoderConfig
from gauntlet.config.published import MAGNET
from gauntlet.errors import DivergenceError
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport, fit, predict
from gauntlet.training.runtime import start_from


@keras.saving.register_keras_serializable(package="gauntlet")
class ReconstructionLoss(keras.losses.Loss):
    """A Keras loss over the flattened image.

    `categorical_crossentropy` divides the output by its sum first, so the output's scale is free:
    hence the scale metrics of `output_scale`. A variational autoencoder's reconstruction term is a
    sum over pixels (first paper, 5.5), where Keras means; `as_sum` undoes that mean.
    """

    def __init__(self, kind: str, as_sum: bool = False) -> None:
        super().__init__(name="reconstruction")
        self.kind = kind
        self.as_sum = as_sum

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image, `(n,)`."""
        y_true, y_pred = (ops.reshape(y, (ops.shape(y)[0], -1)) for y in (y_true, y_pred))
        loss = getattr(keras.losses, self.kind)(y_true, y_pred)
        return loss * ops.cast(ops.shape(y_true)[1], loss.dtype) if self.as_sum else loss

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"kind": self.kind, "as_sum": self.as_sum}


def train_autoencoder(
    config: AutoencoderConfig,
    images: NDArray[np.float32],
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
) -> keras.Model:
    """Build and train; of `funn`, return the defender.

    Args:
        config: what to build and how to train it.
        images: `(n, height, width, channels)` in [0, 1].
        report: called after every epoch.
        checkpoint: where the training is kept between epochs; none: nowhere.

    Raises:
        DivergenceError: the loss or an output became NaN or infinite.
    """
    if config.autoencoder == "funn":
        return train_funn(config, images, report, checkpoint)[0]
    seed = child_seed(config.seed, "autoencoder")
    start_from(seed)
    model = build_autoencoder(config, images.shape[1:])
    model.compile(keras.optimizers.Adam(config.schedule.learning_rate), reconstruction_loss(config))
    inputs = noisy_once(config, images) if config.autoencoder in MAGNET else images
    fit(model, inputs, images, config, report, seed=seed, checkpoint=checkpoint)
    return model


def reconstruction_loss(config: AutoencoderConfig) -> ReconstructionLoss:
    """Return the loss that this config trains with; FUNN's is fixed."""
    loss = "mean_squared_error" if config.autoencoder == "funn" else config.loss
    mean_in_keras = loss != "categorical_crossentropy"
    return ReconstructionLoss(loss, config.autoencoder == "variational" and mean_in_keras)


def reconstruct(model: keras.Model, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the autoencoder's output for images, same shape; deterministic.

    Raises:
        DivergenceError: an output is NaN or infinite.
    """
    output = predict(model, images)
    if not np.isfinite(output).all():
        raise DivergenceError(
            "the autoencoder gives NaN or infinite pixels. Lower --learning_rate or choose a "
            "bounded --pre_output_activation."
        )
    return output


def output_scale(output: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
    """Yield the mean and the maximum of an autoencoder's output: a budget means nothing without."""
    yield "autoencoder/output_mean", float(output.mean(dtype=np.float64))
    yield "autoencoder/output_max", float(output.max())


def reconstruction_metrics(
    config: AutoencoderConfig, images: NDArray[np.float32], output: NDArray[np.float32]
) -> Iterator[tuple[str, float]]:
    """Yield the training loss on test images, and what is comparable across losses and kinds.

    The mean squared error is per pixel; the relative one first scales each output to its image,
    because `categorical_crossentropy` leaves the scale free.
    """
    losses = reconstruction_loss(config).call(images, output)
    yield "test/loss", float(np.mean(ops.convert_to_numpy(losses)))
    yield "test/mean_squared_error", float(np.square(images - output).mean(dtype=np.float64))
    x, y = (a.reshape(len(a), -1).astype(np.float64) for a in (images, output))
    scale = (x * y).sum(axis=1) / np.maximum((y * y).sum(axis=1), 1e-12)
    scaled = np.square(x - scale[:, None] * y).mean()
    yield "test/mean_squared_error_at_best_scale", float(scaled)
