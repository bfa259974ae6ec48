"""Train an autoencoder on images alone: `fit(X, X)` (first paper, section 3.3)."""

from __future__ import annotations

from typing import Unpack

import keras
from keras import ops

from gauntlet.arrays import Images, Tensor
from gauntlet.catalogue.autoencoders import Autoencoder
from gauntlet.catalogue.parameters import Json
from gauntlet.catalogue.trainings import Training
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport, Schedule, fit
from gauntlet.training.outcome import Outcome
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

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of each image, `(n,)`."""
        y_true, y_pred = (ops.reshape(y, (ops.shape(y)[0], -1)) for y in (y_true, y_pred))
        loss = getattr(keras.losses, self.kind)(y_true, y_pred)
        return loss * ops.cast(ops.shape(y_true)[1], loss.dtype) if self.as_sum else loss

    def get_config(self) -> Json:
        """Return the constructor's arguments."""
        return {"kind": self.kind, "as_sum": self.as_sum}


def train(
    training: Training[Autoencoder],
    images: Images,
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
    *,
    learning_rate: float,
    loss: str,
    sum_over_pixels: bool = False,
    inputs: Images | None = None,
    **schedule: Unpack[Schedule],
) -> Outcome:
    """Build and train an autoencoder.

    Args:
        training: the network and its seed.
        images: `(n, height, width, channels)` in [0, 1]: what it learns to put out.
        report: called after every epoch.
        checkpoint: where the training is kept between epochs; none: nowhere.
        learning_rate: Adam's.
        loss: name of a Keras loss.
        sum_over_pixels: the loss is a sum over pixels where Keras means.
        inputs: what it sees, like `images`; none: the images.
        schedule: see `Schedule`.

    Raises:
        DivergenceError: the loss or an output became NaN or infinite.
    """
    seed = child_seed(training.seed, "autoencoder")
    start_from(seed)
    model = training.create(images.shape[1:], training.seed)
    wanted = reconstruction_loss(loss, sum_over_pixels)
    model.compile(keras.optimizers.Adam(learning_rate), wanted)
    seen = images if inputs is None else inputs
    advice = training.advice
    fit(model, seen, images, report, checkpoint, seed=seed, advice=advice, **schedule)
    return Outcome(model)


def reconstruction_loss(loss: str, sum_over_pixels: bool = False) -> ReconstructionLoss:
    """Return the loss of this name; the cross entropy over classes is a sum already."""
    return ReconstructionLoss(loss, sum_over_pixels and loss != "categorical_crossentropy")
