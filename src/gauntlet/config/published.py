"""What the papers and their code say of each training, and which parameters each kind reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

AutoencoderKind = Literal[
    "vanilla",
    "sparse",
    "denoising",
    "variational",
    "convolutional",
    "funn",
    "magnet_1",
    "magnet_2",
]

_DENSE = ("widths", "activation", "pre_output_activation", "output_activation")
_CONVOLUTIONAL = ("filters", "features")
_PLAIN_TRAINING = ("loss", "learning_rate")

AUTOENCODER_READS: dict[str, tuple[str, ...]] = {
    "vanilla": (*_DENSE, *_PLAIN_TRAINING),
    "sparse": (*_DENSE, *_PLAIN_TRAINING, "sparsity_penalty", "sparsity_weight", "sparsity_target"),
    "denoising": (*_DENSE, *_PLAIN_TRAINING, "noise"),
    "variational": (*_DENSE, *_PLAIN_TRAINING, "latent"),
    "convolutional": (*_CONVOLUTIONAL, *_PLAIN_TRAINING),
    "funn": (
        *_CONVOLUTIONAL,
        "attacker_noise",
        "gamma",
        "beta",
        "constraint",
        "init_epochs",
        "defender_init_rate",
        "attacker_init_rate",
        "defender_rate",
        "attacker_rate",
    ),
    "magnet_1": (*_PLAIN_TRAINING, "noise"),
    "magnet_2": (*_PLAIN_TRAINING, "noise"),
}
"""Every kind, and the parameters that it alone or among few reads; all kinds read the others."""

MAGNET: tuple[AutoencoderKind, AutoencoderKind] = ("magnet_1", "magnet_2")
"""MagNet's autoencoders: images all the way through, without a code."""

_FIRST_PAPER = {
    "epochs": 35,
    "batch_size": 1024,
    "learning_rate": 1e-3,
    "validation_size": 0,
    "loss": "categorical_crossentropy",
    "noise": 0.0,
    "init_epochs": 9,
}
_FUNN = _FIRST_PAPER | {
    "epochs": 40,
    "batch_size": 128,
    "learning_rate": 5e-4,
    "loss": "mean_squared_error",
}
_MAGNET = _FIRST_PAPER | {
    "epochs": 100,
    "batch_size": 256,
    "validation_size": 5000,
    "loss": "mean_squared_error",
    "noise": 0.1,
}

AS_PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    # First paper, 4.3 and 6.
    **dict.fromkeys(("vanilla", "sparse", "denoising", "variational"), _FIRST_PAPER),
    # Second paper, 4.1: 9 + 31 epochs; the classic control as long, at the defender's first rate.
    "convolutional": _FUNN,
    "funn": _FUNN,
    # MagNet's own code: the held-out images set the thresholds.
    "magnet_1": _MAGNET,
    "magnet_2": _MAGNET,
}
"""What the `paper` preset says of each autoencoder's training."""

_SMOKE = {"epochs": 5, "batch_size": 64, "init_epochs": 2}

FROM_PRESET = frozenset(_FIRST_PAPER)
"""The parameters of a training that a preset fills."""

LBFGS_ITERATIONS = 100
"""scikit-learn's default, with which the published logistic regression stops."""


class Schedule(NamedTuple):
    """How long and how fast a network learns."""

    epochs: int
    batch_size: int
    learning_rate: float


CLASSIFIER_SCHEDULES = {
    "features": Schedule(20, 128, 1e-3),  # second paper, 4.1
    "convolutional": Schedule(50, 128, 0.01),  # Carlini and Wagner's network, as MagNet has it
}
"""Classifiers that do not learn as the autoencoder does."""


def training_of(kind: str, preset: str) -> dict[str, Any]:
    """Return what a preset says of an autoencoder's training; of an unknown kind, the first's."""
    training = dict(AS_PUBLISHED.get(kind, _FIRST_PAPER))
    if preset == "smoke":
        training |= _SMOKE | {"validation_size": min(training["validation_size"], 200)}
    return training


def unread_by(kind: str) -> set[str]:
    """Return the parameters that autoencoders of this kind do not read."""
    own = {name for names in AUTOENCODER_READS.values() for name in names}
    return own - set(AUTOENCODER_READS[kind])
