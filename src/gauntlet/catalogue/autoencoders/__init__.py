"""The autoencoders, one module per family."""

from __future__ import annotations

from gauntlet.catalogue.autoencoders.autoencoder import (
    ANY_TRAINING,
    FROM_PRESET,
    LOSS,
    LOSSES,
    WIDTHS_TYPE,
    Autoencoder,
    presets,
)
from gauntlet.catalogue.autoencoders.convolutional import CONVOLUTIONAL_AUTOENCODERS
from gauntlet.catalogue.autoencoders.dense import (
    ACTIVATION,
    ACTIVATIONS,
    DENSE_AUTOENCODERS,
    WIDTHS,
)
from gauntlet.catalogue.autoencoders.magnet import MAGNET_AUTOENCODERS
from gauntlet.catalogue.components import Catalogue

__all__ = [
    "ACTIVATION",
    "ACTIVATIONS",
    "ANY_TRAINING",
    "AUTOENCODERS",
    "FROM_PRESET",
    "LOSS",
    "LOSSES",
    "WIDTHS",
    "WIDTHS_TYPE",
    "Autoencoder",
    "presets",
]

AUTOENCODERS = Catalogue(
    Autoencoder,
    "autoencoder",
    (*DENSE_AUTOENCODERS, *CONVOLUTIONAL_AUTOENCODERS, *MAGNET_AUTOENCODERS),
)
