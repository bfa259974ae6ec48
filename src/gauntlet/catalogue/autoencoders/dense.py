"""The first paper's autoencoders (sections 4 and 5.3 to 5.5)."""

from __future__ import annotations

from gauntlet.catalogue.autoencoders.autoencoder import (
    NOISE,
    PLAIN_TRAINING,
    WIDTHS_TYPE,
    Autoencoder,
    presets,
)
from gauntlet.catalogue.parameters import Parameter, Values, integer, one_of, real

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
WIDTHS = Parameter("widths", WIDTHS_TYPE, (504, 28), "encoder widths; the decoder mirrors them")
ACTIVATION = Parameter("activation", one_of(ACTIVATIONS), "relu", "hidden layers but the last")
PRE_OUTPUT_ACTIVATION = Parameter(
    "pre_output_activation", one_of(ACTIVATIONS), "exponential", "last hidden layer"
)
OUTPUT_ACTIVATION = Parameter("output_activation", one_of(ACTIVATIONS), "softplus", "output layer")
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
LATENT = Parameter("latent", integer(1, 65536), 2, "variational: latent dimensions")
_DENSE = {
    "widths": WIDTHS,
    "activation": ACTIVATION,
    "pre_output_activation": PRE_OUTPUT_ACTIVATION,
    "output_activation": OUTPUT_ACTIVATION,
}
_LAYERS = ("gauntlet.autoencoders.layers",)


def _activations(values: Values) -> tuple[str, ...]:
    dense = (ACTIVATION, PRE_OUTPUT_ACTIVATION, OUTPUT_ACTIVATION)
    return tuple(values[parameter.name] for parameter in dense)


def _always(values: Values) -> bool:
    del values
    return True


DENSE_AUTOENCODERS = (
    Autoencoder(
        name="vanilla",
        sentence="dense layers 784-504-28-28-504-784",
        source="first paper, section 4",
        code="gauntlet.autoencoders.dense:vanilla",
        layers=_LAYERS,
        nonlinear=_activations,
        parameters=_DENSE,
        training=PLAIN_TRAINING,
        presets=presets(),
    ),
    Autoencoder(
        name="sparse",
        sentence="vanilla, and a penalty on its code",
        source="first paper, section 5.3",
        code="gauntlet.autoencoders.dense:sparse",
        layers=_LAYERS,
        nonlinear=_activations,
        parameters={
            **_DENSE,
            "penalty": SPARSITY_PENALTY,
            "weight": SPARSITY_WEIGHT,
            "target": SPARSITY_TARGET,
        },
        training=PLAIN_TRAINING,
        presets=presets(),
    ),
    Autoencoder(
        name="denoising",
        sentence="vanilla, trained to remove Gaussian noise",
        source="first paper, section 5.4",
        code="gauntlet.autoencoders.dense:denoising",
        layers=_LAYERS,
        nonlinear=_activations,
        parameters={**_DENSE, "noise": NOISE},
        training=PLAIN_TRAINING,
        presets=presets(),
        draws=lambda values: values["noise"] > 0,
    ),
    Autoencoder(
        name="variational",
        sentence="vanilla, but its code is a sampled latent",
        source="first paper, section 5.5",
        code="gauntlet.autoencoders.dense:variational",
        layers=_LAYERS,
        nonlinear=lambda values: (*_activations(values), "a latent"),
        parameters={**_DENSE, "latent": LATENT},
        training=PLAIN_TRAINING,
        training_fixed={"sum_over_pixels": True},
        presets=presets(),
        draws=_always,
    ),
)
