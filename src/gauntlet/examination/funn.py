"""What a pair of FUNN's players is worth on test images."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.autoencoders.attacker import Attacker, game_metrics
from gauntlet.autoencoders.encoder import reconstruct
from gauntlet.autoencoders.training import reconstruction_loss
from gauntlet.catalogue.autoencoders import Autoencoder
from gauntlet.catalogue.trainings import Training
from gauntlet.examination.autoencoder import output_scale, reconstruction_metrics
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import predict
from gauntlet.training.outcome import Examination


def examine(
    training: Training[Autoencoder],
    models: Mapping[str, keras.Model],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> Examination:
    """Measure the defender as an autoencoder, and what the attacker makes of it.

    Args:
        training: how both were trained.
        models: the defender as `model`, the attacker's parts under their own names.
        images: `(n, height, width, channels)` in [0, 1].
        labels: unused.
    """
    del labels
    defender, attacker = models["model"], Attacker.of(models)
    output = reconstruct(defender, images)
    attacked = attacker.attack(images, child_seed(training.seed, "autoencoder", "test"))
    restored = predict(defender, attacked)
    metrics = (
        *output_scale(output),
        *reconstruction_metrics(reconstruction_loss("mean_squared_error"), images, output),
        *game_metrics("test", images, attacked, restored),
    )
    rows = {
        "image": images,
        "reconstruction": output,
        "attack": attacked,
        "its reconstruction": restored,
    }
    return Examination(metrics, rows)
