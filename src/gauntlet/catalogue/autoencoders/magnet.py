"""MagNet's two autoencoders."""

from __future__ import annotations

from gauntlet.catalogue.autoencoders.autoencoder import NOISE, PLAIN_TRAINING, Autoencoder, presets

# MagNet's own code: the held-out images set the thresholds.
_MAGNET = presets(
    epochs=100, batch_size=256, validation_size=5000, loss="mean_squared_error", noise=0.1
)

MAGNET_AUTOENCODERS = (
    Autoencoder(
        name="magnet_1",
        sentence="MagNet's reformer and detector I: sigmoid convolutions with one pooling",
        source="Meng and Chen 2017",
        code="gauntlet.autoencoders.magnet:pooling",
        trainer="gauntlet.autoencoders.magnet:train",
        training={**PLAIN_TRAINING, "noise": NOISE},
        nonlinear=lambda _: ("sigmoid",),
        presets=_MAGNET,
        has_code=False,
    ),
    Autoencoder(
        name="magnet_2",
        sentence="MagNet's detector II: sigmoid convolutions without pooling",
        source="Meng and Chen 2017",
        code="gauntlet.autoencoders.magnet:plain",
        trainer="gauntlet.autoencoders.magnet:train",
        training={**PLAIN_TRAINING, "noise": NOISE},
        nonlinear=lambda _: ("sigmoid",),
        presets=_MAGNET,
        has_code=False,
    ),
)
