"""Defence `features`: a classifier on what the encoder says of an image (second paper, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import keras

from gauntlet.autoencoders.encoder import encoder_of
from gauntlet.defences.defended_model import DefendedModel


@dataclass(frozen=True)
class FeaturesModel(DefendedModel):
    """A classifier whose input is the code of the autoencoder; the decoder stands aside."""

    @cached_property
    def graph(self) -> keras.Model:
        """From image to logits, through the encoder."""
        encoder = encoder_of(self.autoencoder)
        return keras.Model(encoder.input, self.classifier(encoder.output))
