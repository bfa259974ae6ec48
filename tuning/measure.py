"""What a trial is worth: train on all but the held-out images, judge by these."""

from __future__ import annotations

from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.attacks.crafting import craft
from gauntlet.attacks.threat_models import THREAT_MODELS, Scenario
from gauntlet.autoencoders.encoder import encoder_of
from gauntlet.autoencoders.training import reconstruct, reconstruction_metrics, train_autoencoder
from gauntlet.classifiers.training import train_classifier
from gauntlet.config.attack import AttackConfig
from gauntlet.config.models import AutoencoderConfig
from gauntlet.config.tables import MADE_OF
from gauntlet.config.tune import TuneConfig
from gauntlet.data.dataset import Dataset
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.defences.stochastic import majority
from gauntlet.evaluation.outcomes import defeated
from gauntlet.networks import EpochReport
from gauntlet.steps.attack import ensure_models
from gauntlet.steps.autoencoder import ensure_autoencoder
from gauntlet.steps.defended import assemble, build_defended, loaded


class Report(Protocol):
    """Where a trial's trainings report their epochs."""

    def __call__(self, epoch: int, metrics: dict[str, float]) -> None:
        """Take an epoch of the training that is searched."""

    def of(self, part: str) -> EpochReport:
        """Return where another training of the trial reports."""


def measure(
    config: TuneConfig, trial: AutoencoderConfig, data: Dataset, report: Report
) -> dict[str, float]:
    """Train what a trial describes; return its `validation/...` metrics.

    Test images play no part: the last `validation_size` training images judge.
    """
    held_out = slice(len(data.x_train) - config.validation_size, None)
    images, labels = data.x_train[held_out], data.y_train[held_out]
    if not isinstance(trial, AttackConfig):
        model = train_autoencoder(trial, data.x_train, report)
        return _reconstruction(trial, model, images, "validation")
    attacks = config.study == "attack"
    defended = _stored(trial, data) if attacks else _trained(trial, data, report)
    return _robustness(trial, defended, images, labels, config.attack_images, "validation")


def measure_on_test(
    config: TuneConfig, trial: AutoencoderConfig, data: Dataset
) -> dict[str, float]:
    """Train the winner once more, into the store; return its `test/...` metrics."""
    if not isinstance(trial, AttackConfig):
        model = loaded(ensure_autoencoder(trial, data))
        return _reconstruction(trial, model, data.x_test, "test")
    defended = _stored(trial, data)
    return _robustness(trial, defended, data.x_test, data.y_test, config.attack_images, "test")


def _trained(config: AttackConfig, data: Dataset, report: Report) -> DefendedModel:
    (defence,) = config.defence
    autoencoder = train_autoencoder(config.autoencoder_config(), data.x_train, report)
    train_on: Any = MADE_OF[defence][-1]
    inputs = data.x_train
    if train_on != "raw":
        before = encoder_of(autoencoder) if train_on == "features" else autoencoder
        inputs = reconstruct(before, inputs)
    classifier = train_classifier(
        config.classifier_config(train_on),
        inputs,
        data.y_train,
        data.n_classes,
        report.of("classifier"),
    )
    return assemble(defence, classifier, autoencoder, config)


def _stored(config: AttackConfig, data: Dataset) -> DefendedModel:
    return build_defended(config.defence[0], ensure_models(config, data), config, data)


def _reconstruction(
    config: AutoencoderConfig, model: keras.Model, images: NDArray[np.float32], split: str
) -> dict[str, float]:
    metrics = reconstruction_metrics(config, images, reconstruct(model, images))
    return {name.replace("test/", f"{split}/"): value for name, value in metrics}


def _robustness(
    config: AttackConfig,
    defended: DefendedModel,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    attacked: int,
    split: str,
) -> dict[str, float]:
    """Return clean accuracy on all images and what every attack leaves of the first ones."""
    scenario = Scenario(THREAT_MODELS["white_box"], defended)
    metrics = {
        f"{split}/clean_accuracy": float((majority(scenario.votes(images)) == labels).mean())
    }
    images, labels = images[:attacked], labels[:attacked]
    survives = np.ones(len(images), bool)
    for name in config.attacks:
        (result,), stuck = craft(name, config, scenario, images, labels)
        withstood = defeated(labels, majority(scenario.votes(result.adversarial)))
        metrics[f"{split}/robust_accuracy/{name}"] = float(withstood.mean())
        survives &= withstood
        if stuck is not None:
            metrics[f"{split}/zero_gradients/{name}"] = float(stuck.sum())
    return metrics | {f"{split}/robust_accuracy": float(survives.mean())}
