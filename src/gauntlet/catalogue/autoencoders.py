"""The autoencoders: first paper 4 and 5.3 to 5.5, second paper 3.2, MagNet's two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gauntlet.catalogue.components import Catalogue, Component
from gauntlet.catalogue.names import Name
from gauntlet.catalogue.parameters import (
    PRESET,
    Parameter,
    Value,
    Values,
    integer,
    list_of,
    one_of,
    real,
)
from gauntlet.catalogue.trainings import (
    BATCH_SIZE,
    EPOCHS,
    EPOCHS_TYPE,
    LEARNING_RATE,
    RATE_TYPE,
    VALIDATION_SIZE,
    Trainable,
)

ACTIVATIONS = (
    "relu",
    "sigmoid",
    "tanh",
    "softsign",
    "softplus",
    "exponential",
    "elu",
    "linear",
)
LOSSES = ("categorical_crossentropy", "mean_squared_error", "binary_crossentropy")
WIDTHS_TYPE = list_of(integer(1, 65536))

WIDTHS = Parameter("widths", WIDTHS_TYPE, (504, 28), "encoder widths; the decoder mirrors them")
ACTIVATION = Parameter("activation", one_of(ACTIVATIONS), "relu", "hidden layers but the last")
PRE_OUTPUT_ACTIVATION = Parameter(
    "pre_output_activation", one_of(ACTIVATIONS), "exponential", "last hidden layer"
)
OUTPUT_ACTIVATION = Parameter("output_activation", one_of(ACTIVATIONS), "softplus", "output layer")
LOSS = Parameter("loss", one_of(LOSSES), PRESET, "reconstruction loss")
SPARSITY_PENALTY = Parameter(
    "sparsity_penalty",
    one_of(("l1", "kl")),
    "l1",
    "sparse: L1 norm of the code, or KL divergence to sparsity_target",
)
SPARSITY_WEIGHT = Parameter(
    "sparsity_weight", real(above=0, at_most=1e6), 1e-4, "sparse: weight of the penalty"
)
SPARSITY_TARGET = Parameter(
    "sparsity_target",
    real(above=0, below=1),
    0.05,
    "sparse: wanted mean activation of a code unit (kl)",
    when=("sparsity_penalty", "kl"),
)
NOISE = Parameter(
    "noise",
    real(at_least=0, at_most=10),
    PRESET,
    "denoising, magnet_: standard deviation of the training noise; denoising 0 as its paper states",
)
LATENT = Parameter("latent", integer(1, 65536), 2, "variational: latent dimensions")
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


def _always(values: Values) -> bool:
    del values
    return True


def _never(values: Values) -> bool:
    del values
    return False


@dataclass(frozen=True, kw_only=True)
class Autoencoder(Trainable):
    """A kind of autoencoder.

    Attributes:
        presets: what each preset says of its training.
        has_code: it has a layer of features, on which a classifier may stand.
        draws: whether it can draw random numbers at test time, given the parameters' values.
    """

    trainer: str = "gauntlet.autoencoders.training:train"
    examiner: str = "gauntlet.examination.autoencoder:examine"
    presets: Mapping[str, Values]
    has_code: bool = True
    draws: Callable[[Values], bool] = field(default=_never)

    __hash__ = Component.__hash__


# First paper, 4.3 and 6.
_FIRST_PAPER = {
    "epochs": 35,
    "batch_size": 1024,
    "learning_rate": 1e-3,
    "validation_size": 0,
    "loss": "categorical_crossentropy",
    "noise": 0.0,
    "init_epochs": 9,
}


def presets(**published: Value) -> dict[str, dict[str, Value]]:
    """Return what each preset says of a training, from what was published.

    What is not given is as in the first paper; `smoke` has few epochs and small batches.
    """
    paper = {**_FIRST_PAPER, **published}
    held_out = min(paper["validation_size"], 200)
    smoke = {"epochs": 5, "batch_size": 64, "init_epochs": 2, "validation_size": held_out}
    return {"paper": paper, "smoke": {**paper, **smoke}}


# Second paper, 4.1: 9 + 31 epochs; the classic control as long, at the defender's first rate.
_SECOND_PAPER = presets(epochs=40, batch_size=128, learning_rate=5e-4, loss="mean_squared_error")
# MagNet's own code: the held-out images set the thresholds.
_MAGNET = presets(
    epochs=100, batch_size=256, validation_size=5000, loss="mean_squared_error", noise=0.1
)

FROM_PRESET = frozenset(_FIRST_PAPER)
"""The parameters of a training whose default depends on preset and kind."""

ANY_TRAINING = {
    "epochs": EPOCHS,
    "batch_size": BATCH_SIZE,
    "validation_size": VALIDATION_SIZE,
}
_PLAIN = {**ANY_TRAINING, "learning_rate": LEARNING_RATE, "loss": LOSS}
_DENSE = {
    "widths": WIDTHS,
    "activation": ACTIVATION,
    "pre_output_activation": PRE_OUTPUT_ACTIVATION,
    "output_activation": OUTPUT_ACTIVATION,
}
_LAYERS = ("gauntlet.autoencoders.layers",)
_CONVOLUTIONAL = {"filters": FILTERS, "features": FEATURES}

AUTOENCODERS = Catalogue(
    Autoencoder,
    "autoencoder",
    (
        Autoencoder(
            name="vanilla",
            sentence="dense layers 784-504-28-28-504-784",
            source="first paper, section 4",
            code="gauntlet.autoencoders.dense:vanilla",
            layers=_LAYERS,
            parameters=_DENSE,
            training=_PLAIN,
            presets=presets(),
        ),
        Autoencoder(
            name="sparse",
            sentence="the vanilla one with a penalty on its code",
            source="first paper, section 5.3",
            code="gauntlet.autoencoders.dense:sparse",
            layers=_LAYERS,
            parameters={
                **_DENSE,
                "penalty": SPARSITY_PENALTY,
                "weight": SPARSITY_WEIGHT,
                "target": SPARSITY_TARGET,
            },
            training=_PLAIN,
            presets=presets(),
        ),
        Autoencoder(
            name="denoising",
            sentence="the vanilla one, trained to remove Gaussian noise",
            source="first paper, section 5.4",
            code="gauntlet.autoencoders.dense:denoising",
            layers=_LAYERS,
            parameters={**_DENSE, "noise": NOISE},
            training=_PLAIN,
            presets=presets(),
            draws=lambda values: values["noise"] > 0,
        ),
        Autoencoder(
            name="variational",
            sentence="the vanilla one with a sampled latent in the place of its code",
            source="first paper, section 5.5",
            code="gauntlet.autoencoders.dense:variational",
            layers=_LAYERS,
            parameters={**_DENSE, "latent": LATENT},
            training=_PLAIN,
            training_fixed={"sum_over_pixels": True},
            presets=presets(),
            draws=_always,
        ),
        Autoencoder(
            name="convolutional",
            sentence="convolutions of stride 2 and linear features: FUNN's defender, trained alone",
            source="second paper, section 4.1",
            code="gauntlet.autoencoders.convolutional:build",
            parameters=_CONVOLUTIONAL,
            training=_PLAIN,
            presets=_SECOND_PAPER,
        ),
        Autoencoder(
            name="funn",
            sentence="the defender of a game against an attacking autoencoder",
            source="second paper, section 3.2",
            code="gauntlet.autoencoders.convolutional:build",
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
        Autoencoder(
            name="magnet_1",
            sentence="MagNet's reformer and detector I: sigmoid convolutions with one pooling",
            source="Meng and Chen 2017",
            code="gauntlet.autoencoders.magnet:pooling",
            trainer="gauntlet.autoencoders.magnet:train",
            training={**_PLAIN, "noise": NOISE},
            presets=_MAGNET,
            has_code=False,
        ),
        Autoencoder(
            name="magnet_2",
            sentence="MagNet's detector II: sigmoid convolutions without pooling",
            source="Meng and Chen 2017",
            code="gauntlet.autoencoders.magnet:plain",
            trainer="gauntlet.autoencoders.magnet:train",
            training={**_PLAIN, "noise": NOISE},
            presets=_MAGNET,
            has_code=False,
        ),
    ),
)
