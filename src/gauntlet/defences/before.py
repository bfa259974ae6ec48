"""Defences `none`, `encoded` and `reformer`: a classifier, and what stands before it."""

from __future__ import annotations

from gauntlet.defences.defended_model import DefendedModel, Parts
from gauntlet.defences.stochastic import StochasticModel


def undefended(parts: Parts) -> DefendedModel:
    """Return the classifier alone."""
    return DefendedModel(parts.classifier)


def build(parts: Parts, *, stochastic: bool, samples: int, judge_draws: int) -> DefendedModel:
    """Return the classifier behind an autoencoder.

    Args:
        parts: the classifier and one autoencoder.
        stochastic: the autoencoder draws at test time, too.
        samples: draws that each gradient averages.
        judge_draws: draws that vote on each image.
    """
    (autoencoder,) = parts.autoencoders
    if stochastic:
        return StochasticModel(
            parts.classifier,
            autoencoder,
            samples=samples,
            judge_draws=judge_draws,
            seed=parts.seed,
        )
    return DefendedModel(parts.classifier, autoencoder)
