"""Defences `smoothing` and `denoised_smoothing`: the class that most noisy copies are given.

The smoothed classifier says of an image x the class that the base classifier most probably says of
x + N(0, sigma^2 I) (Cohen et al. 2019, equation 1). The base classifier is one that learned with
the same noise, or one that learned without and stands behind a denoiser (Salman et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import keras
from keras import ops

from gauntlet.defences.defended_model import DefendedModel, Parts
from gauntlet.defences.stochastic import StochasticModel


@dataclass(frozen=True, kw_only=True)
class SmoothedModel(StochasticModel):
    """A base classifier under Gaussian noise, behind an autoencoder if there is one.

    Attributes:
        sigma: standard deviation of the noise, in (0, 1].
    """

    sigma: float

    @cached_property
    def drawing(self) -> keras.Model:
        """From image to image with noise. Pixels are not clipped: the theorem needs the noise."""
        image = keras.Input(self.classifier.input_shape[1:])
        return keras.Model(image, keras.layers.GaussianNoise(self.sigma, seed=self.seed)(image))

    @cached_property
    def behind(self) -> keras.Model:
        """The base classifier: from image with noise to logits.

        A denoiser learned from images in [0, 1], so it is given such: clipped, *after* the noise.
        That is part of the base classifier, which may be any function of the noisy image.
        """
        if self.autoencoder is None:
            return self.classifier
        noisy = keras.Input(self.autoencoder.input_shape[1:])
        restored = self.autoencoder(ops.clip(noisy, 0.0, 1.0))
        return keras.Model(noisy, self.classifier(restored))


def build(parts: Parts, *, sigma: float, samples: int, judge_draws: int) -> DefendedModel:
    """Return a smoothed classifier.

    Args:
        parts: the classifier, and the denoiser if there is one.
        sigma: standard deviation of the noise, in (0, 1].
        samples: draws that each gradient averages.
        judge_draws: draws that vote on each image.
    """
    return SmoothedModel(
        parts.classifier,
        *parts.autoencoders,
        samples=samples,
        judge_draws=judge_draws,
        seed=parts.seed,
        sigma=sigma,
    )
