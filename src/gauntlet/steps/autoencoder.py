"""Entry point `autoencoder`: data -> trained autoencoder, as a run of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from gauntlet.config.models import AutoencoderConfig
from gauntlet.data.dataset import Dataset
from gauntlet.seeding import child_seed
from gauntlet.steps.console import say
from gauntlet.steps.inputs import grid_indices, load_data
from gauntlet.steps.reuse import Reuse
from gauntlet.steps.session import session
from gauntlet.steps.training_run import TRAINED_BY, TrainingRun, training_run
from gauntlet.tracking.artifacts import StoredModel, stored_model
from gauntlet.tracking.step_cache import Fingerprint

if TYPE_CHECKING:
    import keras

MANIFOLD = norm.ppf(np.linspace(0.05, 0.95, 15))
"""Coordinates that split the prior of a latent dimension evenly."""

COMPUTED_BY = (
    *TRAINED_BY,
    "gauntlet.autoencoders.encoder",
    "gauntlet.autoencoders.training",
    "gauntlet.steps.autoencoder",
)


def run(config: AutoencoderConfig) -> StoredModel:
    """Train the autoencoder of a config, or reuse it."""
    with session("autoencoder") as where:
        if config.autoencoder == "denoising" and config.noise == 0:
            say("note: without --noise a denoising autoencoder is a vanilla one (first paper, 5.4)")
        stored = ensure_autoencoder(config, load_data(config), entry=True)
        say(f"autoencoder run {stored.run_id}; see it with: {where}")
    return stored


def ensure_autoencoder(
    config: AutoencoderConfig, data: Dataset, *, entry: bool = False
) -> StoredModel:
    """Return the trained autoencoder of a config from the store, training it if it is missing."""
    data = data.for_training
    fingerprint = Fingerprint(
        "autoencoder",
        config.autoencoder,
        config.autoencoder_settings(),
        {"data": data.sha256},
        COMPUTED_BY,
    )
    return stored_model(
        Reuse().reuse_or_compute(fingerprint, lambda: _train(config, data, fingerprint, entry))
    )


def _train(config: AutoencoderConfig, data: Dataset, fingerprint: Fingerprint, entry: bool) -> None:
    from gauntlet.autoencoders.training import (
        output_scale,
        reconstruct,
        reconstruction_metrics,
        train_autoencoder,
    )
    from gauntlet.evaluation.figures import draw_grid

    name = f"{config.autoencoder} {config.dataset} seed {config.seed}"
    with training_run("autoencoders", name, config, data, fingerprint, entry) as training:
        if config.autoencoder == "funn":
            model, rows = _play_funn(config, data, training)
        else:
            rows = {}
            model = train_autoencoder(config, data.x_train, training.report, training.checkpoint)
        output = reconstruct(model, data.x_test)
        training.run.metrics(output_scale(output), config.epochs)
        training.run.metrics(reconstruction_metrics(config, data.x_test, output), config.epochs)
        rows = {"image": data.x_test, "reconstruction": output, **rows}
        picked = {row: images[grid_indices(data)] for row, images in rows.items()}
        training.run.figure("images.png", draw_grid(picked, {}, f"{name}: test images"))
        if config.autoencoder == "variational" and config.latent == 2:
            _draw_latent(model, data, training)
        training.finish(model, data.x_test[:5])


def _draw_latent(model: keras.Model, data: Dataset, training: TrainingRun) -> None:
    """Draw the plane of a two-dimensional code (first paper, figures 64 and 65)."""
    from gauntlet.autoencoders.encoder import decoder_of, encoder_of
    from gauntlet.evaluation.latent_figures import draw_manifold, draw_scatter
    from gauntlet.training.keras_loops import predict

    codes = predict(encoder_of(model), data.x_test)
    figure = draw_scatter(codes, data.y_test, "test images in latent space")
    training.run.figure("latent_space.png", figure)
    plane = np.stack(np.meshgrid(MANIFOLD, MANIFOLD[::-1]), axis=-1).reshape(-1, 2)
    digits = predict(decoder_of(model), plane.astype(np.float32))
    training.run.figure("manifold.png", draw_manifold(digits, MANIFOLD, "decoded latent space"))


def _play_funn(
    config: AutoencoderConfig, data: Dataset, training: TrainingRun
) -> tuple[keras.Model, dict[str, NDArray[np.float32]]]:
    """Train both players; return the defender, and the attacker's test images as it sees them."""
    from gauntlet.autoencoders.attacker import game_metrics
    from gauntlet.autoencoders.funn import train_funn
    from gauntlet.training.keras_loops import predict

    defender, attacker = train_funn(config, data.x_train, training.report, training.checkpoint)
    attacked = attacker.attack(data.x_test, child_seed(config.seed, "autoencoder", "test"))
    restored = predict(defender, attacked)
    metrics = game_metrics("test", data.x_test, attacked, restored)
    training.run.metrics(metrics, config.epochs)
    return defender, {"attack": attacked, "its reconstruction": restored}
