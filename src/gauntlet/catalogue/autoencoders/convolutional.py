"""FUNN and its control (second paper, section 3.2)."""

from __future__ import annotations

from gauntlet.catalogue.autoencoders.autoencoder import (
    ANY_TRAINING,
    PLAIN_TRAINING,
    WIDTHS_TYPE,
    Autoencoder,
    presets,
)
from gauntlet.catalogue.names import Name
from gauntlet.catalogue.parameters import PRESET, Parameter, Values, integer, one_of, real
from gauntlet.catalogue.trainings import EPOCHS, EPOCHS_TYPE, RATE_TYPE

FILTERS = Parameter(
    "filters",
    WIDTHS_TYPE,
    (32, 64, 128),
    "convolutional, funn: filters of the 3x3 convolutions, stride 2",
)
FEATURES = Parameter(
    "features", integer(1, 65536), 64, "convolutional, funn: linear features of the encoder"
)
ATTACKER_NOISE = Parameter(
    "attacker_noise",
    integer(1, 65536),
    16,
    "funn: uniform numbers beside the attacker's features",
)
GAMMA = Parameter(
    "gamma",
    real(above=0, at_most=1e6),
    5.0,
    "funn: weight of the attacker's constraint (equation 8)",
)
BETA = Parameter(
    "beta",
    real(above=0, below=1),
    0.01,
    "funn: the defender's error that the attacker must reach, mean squared error per pixel",
)
CONSTRAINT = Parameter(
    "constraint",
    one_of(("at_least", "as_printed")),
    "at_least",
    "funn: error >= beta (equation 5), or <= beta, as equation 8 prints",
)
INIT_EPOCHS = Parameter(
    "init_epochs",
    EPOCHS_TYPE,
    PRESET,
    "funn: epochs of the first phase, which ignores the constraint",
)
DEFENDER_INIT_RATE = Parameter(
    "defender_init_rate", RATE_TYPE, 5e-4, "funn: Adam, defender, first phase"
)
ATTACKER_INIT_RATE = Parameter(
    "attacker_init_rate", RATE_TYPE, 1e-3, "funn: Adam, attacker, first phase"
)
DEFENDER_RATE = Parameter(
    "defender_rate", RATE_TYPE, 1e-5, "funn: Adam, defender's encoder, second phase"
)
ATTACKER_RATE = Parameter(
    "attacker_rate", RATE_TYPE, 1e-5, "funn: Adam, attacker's generator, second phase"
)


def _second_phase_has_an_epoch(values: Values) -> None:
    first, both = values[INIT_EPOCHS.name], values[EPOCHS.name]
    if first > both:
        raise ValueError(
            f"--init_epochs: expected at most the {both} epochs of both phases; received {first}"
        )


# Second paper, 4.1: 9 + 31 epochs; the classic control as long, at the defender's first rate.
_SECOND_PAPER = presets(epochs=40, batch_size=128, learning_rate=5e-4, loss="mean_squared_error")
_CONVOLUTIONAL = {"filters": FILTERS, "features": FEATURES}

CONVOLUTIONAL_AUTOENCODERS = (
    Autoencoder(
        name="convolutional",
        sentence="convolutions of stride 2 and linear features: FUNN's defender, trained alone",
        source="second paper, section 4.1",
        code="gauntlet.autoencoders.convolutional:build",
        nonlinear=lambda _: ("relu", "tanh"),
        parameters=_CONVOLUTIONAL,
        training=PLAIN_TRAINING,
        presets=_SECOND_PAPER,
    ),
    Autoencoder(
        name="funn",
        sentence="the defender of a game against an attacking autoencoder",
        source="second paper, section 3.2",
        code="gauntlet.autoencoders.convolutional:build",
        nonlinear=lambda _: ("relu", "tanh"),
        parameters=_CONVOLUTIONAL,
        trainer="gauntlet.autoencoders.funn:train",
        examiner="gauntlet.examination.funn:examine",
        training={
            **ANY_TRAINING,
            "attacker_noise": ATTACKER_NOISE,
            "gamma": GAMMA,
            "beta": BETA,
            "constraint": CONSTRAINT,
            "init_epochs": INIT_EPOCHS,
            "defender_init_rate": DEFENDER_INIT_RATE,
            "attacker_init_rate": ATTACKER_INIT_RATE,
            "defender_rate": DEFENDER_RATE,
            "attacker_rate": ATTACKER_RATE,
        },
        presets=_SECOND_PAPER,
        rule=_second_phase_has_an_epoch,
        metrics=(
            Name(
                "<data>/attacker_distortion",
                "how far the attacker's images are from the originals",
                "mean squared error",
            ),
            Name("<data>/attacker_distortion_l2", "the same", "L2 norm"),
            Name(
                "<data>/near_constant",
                "attacker's images that are nearly constant",
                "share, in [0, 1]",
            ),
            Name(
                "<data>/defender_error",
                "how far the defender's output for the attacker's images is from the originals",
                "mean squared error",
            ),
            Name("<data>/defender_error_l2", "the same", "L2 norm"),
            Name(
                "train/reconstruction",
                "how far the defender's output for the originals is from them",
                "mean squared error",
            ),
            Name(
                "train/hinge_active",
                "batches that violate the constraint",
                "share, in [0, 1]",
                "second phase",
            ),
        ),
    ),
)
