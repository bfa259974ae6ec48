"""Entry point `autoencoder`: data -> trained autoencoder, as a run of its own."""

from __future__ import annotations

from gauntlet.config.training import AutoencoderConfig
from gauntlet.pipeline.console import say
from gauntlet.pipeline.inputs import load_data
from gauntlet.pipeline.session import session
from gauntlet.pipeline.trainings import TrainedNetwork, ensure_autoencoder


def run(config: AutoencoderConfig) -> TrainedNetwork:
    """Train the autoencoder of a config, or reuse it."""
    with session("autoencoder") as where:
        training = config.autoencoder()
        if training.name == "denoising" and training.values["noise"] == 0:
            say("note: without --noise a denoising autoencoder is a vanilla one (first paper, 5.4)")
        network = ensure_autoencoder(training, load_data(config), entry=True)
        say(f"autoencoder run {network.stored.run_id}; see it with: {where}")
    return network
