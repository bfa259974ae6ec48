"""Entry point `classifier`: data -> (autoencoder ->) trained classifier, as a run of its own."""

from __future__ import annotations

from gauntlet.config.training import ClassifierConfig
from gauntlet.pipeline.console import say
from gauntlet.pipeline.examination import MATRIX
from gauntlet.pipeline.inputs import load_data
from gauntlet.pipeline.session import session
from gauntlet.pipeline.trainings import TrainedNetwork, ensure_autoencoder, ensure_classifier
from gauntlet.report import chance
from gauntlet.tracking.finished import read_sealed


def run(config: ClassifierConfig) -> TrainedNetwork:
    """Train the classifier of a config, and the autoencoder before it if it wants one, or reuse."""
    with session("classifier") as where:
        data, before = load_data(config), None
        if config.trains_autoencoder:
            before = ensure_autoencoder(config.autoencoder(), data)
        network = ensure_classifier(config.training, config.inputs, data, before, entry=True)
        _warn(network)
        say(f"classifier run {network.stored.run_id}; see it with: {where}")
    return network


def _warn(network: TrainedNetwork) -> None:
    """Say if the classifier learned nothing, also where a finished run is reused."""
    counts = read_sealed(network.examination).json(MATRIX)["counts"]
    for line in chance.warnings([chance.from_counts("the classifier", counts)]):
        say(f"warning: {line}")
