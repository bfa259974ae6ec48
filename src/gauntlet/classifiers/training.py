"""Train a classifier that is a Keras network."""

from __future__ import annotations

from typing import Unpack

import keras

from gauntlet.arrays import Images, Labels
from gauntlet.catalogue.classifiers import Classifier
from gauntlet.catalogue.trainings import Training
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport, Schedule, fit
from gauntlet.training.outcome import Outcome
from gauntlet.training.runtime import start_from


def train(
    training: Training[Classifier],
    images: Images,
    labels: Labels,
    n_classes: int,
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
    *,
    learning_rate: float,
    optimizer: str = "adam",
    noise: float = 0.0,
    **schedule: Unpack[Schedule],
) -> Outcome:
    """Return a trained model from images `(n, h, w, c)` (or features) to logits `(n, classes)`.

    Args:
        training: the network and its seed.
        images: or features, `(n, ...)`.
        labels: `(n,)`.
        n_classes: how many logits.
        report: called after every epoch.
        checkpoint: where the training is kept between epochs; none: nowhere.
        learning_rate: the optimizer's.
        optimizer: `adam`, or `momentum`: SGD with Nesterov momentum 0.9, as Carlini and Wagner
            train (2017, table II).
        noise: standard deviation of the Gaussian noise that each image gets anew in every epoch
            (Cohen et al. 2019, section 3.3); 0: none. Pixels are not clipped. The model that is
            returned adds none, and `val/` is measured without.
        schedule: see `Schedule`.

    Raises:
        DivergenceError: a metric became NaN or infinite.
    """
    seed = child_seed(training.seed, "classifier")
    start_from(seed)
    model = training.create(images.shape[1:], n_classes, training.seed)
    learner = _behind_noise(model, noise, training.seed) if noise else model
    learner.compile(
        OPTIMIZERS[optimizer](learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    advice = training.advice
    fit(learner, images, labels, report, checkpoint, seed=seed, advice=advice, **schedule)
    return Outcome(model)


def _behind_noise(model: keras.Model, stddev: float, seed: int) -> keras.Model:
    """Return the same layers behind Gaussian noise, which is drawn in training alone."""
    noise = keras.layers.GaussianNoise(stddev, seed=child_seed(seed, "classifier", "noise"))
    image = keras.Input(model.input_shape[1:])
    return keras.Model(image, model(noise(image)))


OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
}
