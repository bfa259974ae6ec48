"""Every network that the cells of a config need."""

from __future__ import annotations

from collections.abc import Mapping

from gauntlet.catalogue.classifiers import BEHIND_AUTOENCODER
from gauntlet.catalogue.defences import AUTOENCODER
from gauntlet.cells.plan import SURROGATE, parts_of
from gauntlet.config.attack import AttackConfig
from gauntlet.data.dataset import Dataset
from gauntlet.pipeline.trainings import TrainedNetwork, ensure_autoencoder, ensure_classifier
from gauntlet.tracking import names

Networks = Mapping[str, TrainedNetwork]
"""Part of a defence, or `surrogate` -> network."""


def ensure_networks(config: AttackConfig, data: Dataset) -> dict[str, TrainedNetwork]:
    """Return every network that a config's cells need, training what is missing."""
    wanted = parts_of(config)
    found: dict[str, TrainedNetwork] = {}
    for defence in config.defences:
        for part in defence.autoencoders:
            if part in wanted and part not in found:
                kind = None if part == AUTOENCODER else part
                found[part] = ensure_autoencoder(config.autoencoder(kind), data)
    for defence in config.defences:
        inputs = defence.inputs
        if inputs in wanted and inputs not in found:
            before = found[AUTOENCODER] if inputs in BEHIND_AUTOENCODER else None
            found[inputs] = ensure_classifier(config.classifier(inputs), inputs, data, before)
    if SURROGATE in wanted:
        training = config.classifier("raw", SURROGATE)
        found[SURROGATE] = ensure_classifier(training, "raw", data)
    return found


def input_tags(networks: Networks) -> dict[str, str]:
    """Return the tags that name the runs of a run's inputs."""
    return {names.input_tag(part): n.stored.run_id for part, n in networks.items()}
