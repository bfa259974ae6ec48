"""Defence `features`: a classifier on the encoder's features (second paper, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import keras

from gauntlet.autoencoders.encoder import encoder_of
from gauntlet.defences.defended_model import DefendedModel, Parts


@dataclass(frozen=True)
class FeaturesModel(DefendedModel):
    """A classifier of the autoencoder's code; the decoder takes no part."""

    @cached_property
    def graph(self) -> keras.Model:
        """From image to logits, through the encoder."""
        encoder = encoder_of(self.autoencoder)
        return keras.Model(encoder.input, self.classifier(encoder.output))


def build(parts: Parts) -> FeaturesModel:
    """Return a classifier of features behind the encoder of one autoencoder."""
    (autoencoder,) = parts.autoencoders
    return FeaturesModel(parts.classifier, autoencoder)
