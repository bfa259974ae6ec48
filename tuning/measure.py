"""What a trial is worth: train on all but the held-out images, judge by these."""

from __future__ import annotations

from typing import Protocol

import keras
import numpy as np

from gauntlet.arrays import Images, Labels
from gauntlet.attacks.threat_models import Scenario
from gauntlet.autoencoders.encoder import seen_by
from gauntlet.catalogue.components import load
from gauntlet.cells.assemble import assemble
from gauntlet.cells.measure import measure as measure_cell
from gauntlet.cells.plan import Cell, plan_cells
from gauntlet.config.attack import AttackConfig
from gauntlet.config.networks import NetworksConfig
from gauntlet.data.dataset import Dataset
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.defences.stochastic import majority
from gauntlet.pipeline.cells import assembled
from gauntlet.pipeline.networks import ensure_networks
from gauntlet.pipeline.trainings import ensure_autoencoder
from gauntlet.tracking.finished import last, read_sealed
from gauntlet.training.keras_loops import EpochReport
from gauntlet.training.outcome import Examination
from tuning.config import TuneConfig


class Report(Protocol):
    """Where a trial's trainings report their epochs."""

    def __call__(self, epoch: int, metrics: dict[str, float]) -> None:
        """Take an epoch of the training that is searched."""

    def of(self, part: str) -> EpochReport:
        """Return where another training of the trial reports."""


def measure(
    config: TuneConfig, trial: NetworksConfig, data: Dataset, report: Report
) -> dict[str, float]:
    """Train what a trial describes; return its `validation/...` metrics.

    Test images play no part: the last `validation_size` training images judge.
    """
    held_out = slice(len(data.x_train) - config.held_out_size, None)
    images, labels = data.x_train[held_out], data.y_train[held_out]
    if not isinstance(trial, AttackConfig):
        outcome = trial.autoencoder().run(data.x_train, report)
        models = {"model": outcome.model, **outcome.others}
        return _examined(trial, models, images, labels)
    attacks = config.study == "attack"
    defended = _stored(trial, data) if attacks else _trained(trial, data, report)
    return _robustness(trial, defended, images, labels, config["attack_images"], "validation")


def measure_on_test(config: TuneConfig, trial: NetworksConfig, data: Dataset) -> dict[str, float]:
    """Train the winner once more, into the store; return its `test/...` metrics."""
    if not isinstance(trial, AttackConfig):
        network = ensure_autoencoder(trial.autoencoder(), data)
        curves = read_sealed(network.examination).curves
        return {name: last(curve) for name, curve in curves.items()}
    defended = _stored(trial, data)
    return _robustness(trial, defended, data.x_test, data.y_test, config["attack_images"], "test")


def _trained(config: AttackConfig, data: Dataset, report: Report) -> DefendedModel:
    """Return the one defence of a trial, trained without the store."""
    (defence,) = config.defences
    autoencoder = config.autoencoder().run(data.x_train, report).model
    inputs = seen_by(defence.inputs, autoencoder, data.x_train)
    classifier = (
        config.classifier(defence.inputs)
        .run(inputs, data.y_train, data.n_classes, report.of("classifier"))
        .model
    )
    return assemble(plan_cells(config)[0], classifier, (autoencoder,), data.x_train)


def _stored(config: AttackConfig, data: Dataset) -> DefendedModel:
    return assembled(plan_cells(config)[0], ensure_networks(config, data), data)


def _examined(
    config: NetworksConfig,
    models: dict[str, keras.Model],
    images: Images,
    labels: Labels,
) -> dict[str, float]:
    training = config.autoencoder()
    found: Examination = load(training.entry.examiner)(training, models, images, labels)
    return {name.replace("test/", "validation/"): value for name, value in found.metrics}


def _robustness(
    config: AttackConfig,
    defended: DefendedModel,
    images: Images,
    labels: Labels,
    attacked: int,
    split: str,
) -> dict[str, float]:
    """Return clean accuracy on all images, and what every attack leaves of the first ones."""
    cells: list[Cell] = plan_cells(config)
    scenario = Scenario(cells[0].threat_model, defended)
    clean = majority(scenario.votes(images)) == labels
    metrics = {f"{split}/clean_accuracy": float(clean.mean())}
    images, labels = images[:attacked], labels[:attacked]
    survives = np.ones(len(images), bool)
    for cell in cells:
        result = measure_cell(cell, scenario, images, labels).result
        name, withstood = cell.attack.name, result.correct[0]
        metrics[f"{split}/robust_accuracy/{name}"] = float(withstood.mean())
        survives &= withstood
        if result.no_gradient is not None:
            metrics[f"{split}/zero_gradients/{name}"] = float(result.no_gradient.sum())
    return metrics | {f"{split}/robust_accuracy": float(survives.mean())}
