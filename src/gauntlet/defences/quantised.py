"""Defence `quantised`: pixels of few bits, before a classifier that learned from images."""

from __future__ import annotations

import keras
from keras import ops

from gauntlet.defences.defended_model import DefendedModel, Parts


def build(parts: Parts, *, bits: int) -> DefendedModel:
    """Return the classifier behind feature squeezing's reduction of the bit depth.

    Each pixel is rounded to the nearest of the 2^bits values 0, 1 / (2^bits - 1), ..., 1 (Xu, Evans
    and Qi 2018, arXiv:1704.01155, on colour depth).
    """
    image, steps = keras.Input(parts.classifier.input_shape[1:]), 2**bits - 1
    return DefendedModel(parts.classifier, keras.Model(image, ops.round(steps * image) / steps))
