"""The autoencoders, one module per family."""

from __future__ import annotations

from gauntlet.catalogue.autoencoders.autoencoder import (
    ANY_TRAINING,
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
from gauntlet.catalogue.parameters import PRESET

__all__ = [
    "ACTIVATION",
    "ACTIVATIONS",
    "ANY_TRAINING",
    "AUTOENCODERS",
    "LOSS",
    "LOSSES",
    "WIDTHS",
    "WIDTHS_TYPE",
    "Autoencoder",
    "from_preset",
    "presets",
]

AUTOENCODERS = Catalogue(
    Autoencoder,
    "autoencoder",
    (*DENSE_AUTOENCODERS, *CONVOLUTIONAL_AUTOENCODERS, *MAGNET_AUTOENCODERS),
)


def from_preset() -> frozenset[str]:
    """Return the parameters of a training whose default depends on preset and kind."""
    return frozenset(p.name for p in AUTOENCODERS.parameters if p.default == PRESET)
