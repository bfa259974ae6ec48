"""Configs of the two entry points that train one network."""

from __future__ import annotations

from typing import get_args

from gauntlet.catalogue.classifiers import BEHIND_AUTOENCODER, Classifier, Inputs
from gauntlet.catalogue.parameters import Parameter, one_of
from gauntlet.catalogue.trainings import Training
from gauntlet.config.data import data_parameters
from gauntlet.config.networks import (
    NetworksConfig,
    autoencoder_parameters,
    check_classifier,
)

TRAIN_ON = Parameter(
    "train_on",
    one_of(get_args(Inputs)),
    "raw",
    "the images, the autoencoder's output (defence `encoded`), its features (defence `features`), "
    "or images with noise (defence `smoothing`)",
)


class AutoencoderConfig(NetworksConfig):
    """Train one autoencoder."""

    entry_point = "autoencoder"

    @classmethod
    def declare(cls) -> tuple[Parameter, ...]:
        """Return the parameters of data and autoencoders."""
        return *data_parameters(), *autoencoder_parameters()


class ClassifierConfig(NetworksConfig):
    """Train one classifier."""

    entry_point = "classifier"

    @classmethod
    def declare(cls) -> tuple[Parameter, ...]:
        """Return the parameters of data, autoencoders and classifiers."""
        return *super().declare(), TRAIN_ON

    def check(self) -> None:
        """Check that the classifier can learn from what it shall."""
        super().check()
        check_classifier(self, self.inputs)

    @property
    def inputs(self) -> Inputs:
        """What the classifier learns from."""
        inputs: Inputs = self["train_on"]
        return inputs

    @property
    def trains_autoencoder(self) -> bool:
        """Whether anything reads the autoencoder's parameters."""
        return self.inputs in BEHIND_AUTOENCODER

    @property
    def training(self) -> Training[Classifier]:
        """How the classifier is trained."""
        return self.classifier(self.inputs)
