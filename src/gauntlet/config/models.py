"""Configs of the two trainings: autoencoder and classifier."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from gauntlet.config.base import CommaSeparated, RunConfig

AutoencoderKind = Literal["vanilla", "sparse", "denoising", "variational"]
ClassifierKind = Literal["dense", "logistic_regression"]
Activation = Literal[
    "relu", "sigmoid", "tanh", "softsign", "softplus", "exponential", "elu", "linear"
]
Loss = Literal["categorical_crossentropy", "mean_squared_error", "binary_crossentropy"]
Widths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=65536)], ...], CommaSeparated, Field(min_length=1)
]

_ONLY_FOR: dict[str, tuple[str, ...]] = {
    "sparse": ("sparsity_penalty", "sparsity_weight", "sparsity_target"),
    "denoising": ("noise",),
    "variational": ("latent",),
}
"""Parameters that one autoencoder kind alone reads: others do not fingerprint them."""


LBFGS_ITERATIONS = 100
"""scikit-learn's default, with which the published logistic regression stops."""


class TrainingConfig(RunConfig):
    """How long and how fast a network learns."""

    epochs: int = Field(ge=1, le=100_000, description="passes over the training images")
    batch_size: int = Field(ge=1, le=1_000_000, description="images a gradient step")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Adam's learning rate")
    validation_size: int = Field(
        0, ge=0, description="last N training images held out for val/loss; 0 as published"
    )


class AutoencoderConfig(TrainingConfig):
    """Train one autoencoder (first paper, sections 4 and 5.3 to 5.5)."""

    autoencoder: AutoencoderKind = Field("vanilla", description="kind of autoencoder")
    widths: Widths = Field((504, 28), description="encoder widths; the decoder mirrors them")
    activation: Activation = Field("relu", description="hidden layers but the last")
    pre_output_activation: Activation = Field("exponential", description="last hidden layer")
    output_activation: Activation = Field("softplus", description="output layer")
    loss: Loss = Field("categorical_crossentropy", description="reconstruction loss")
    sparsity_penalty: Literal["l1", "kl"] = Field(
        "l1", description="sparse: L1 norm of the code, or KL divergence to sparsity_target"
    )
    sparsity_weight: float = Field(1e-4, gt=0, le=1e6, description="sparse: weight of the penalty")
    sparsity_target: float = Field(
        0.05, gt=0, lt=1, description="sparse: wanted mean activation of a code unit (kl)"
    )
    noise: float = Field(
        0.0, ge=0, le=10, description="denoising: standard deviation of the training noise; "
        "0 as the paper states"
    )  # fmt: skip
    latent: int = Field(2, ge=1, le=65536, description="variational: latent dimensions")

    @property
    def iterations(self) -> int:
        """How often the training reports."""
        return self.epochs

    def autoencoder_settings(self) -> dict[str, Any]:
        """Return every parameter that can change the trained autoencoder, and no other."""
        hidden = unread_by(self.autoencoder)
        if self.sparsity_penalty == "l1":
            hidden |= {"sparsity_target"}
        return _settings(self, AutoencoderConfig, hidden)


class ClassifierConfig(AutoencoderConfig):
    """Train one classifier, on the images or on the autoencoder's output of them."""

    classifier: ClassifierKind = Field("dense", description="kind of classifier")
    train_on: Literal["raw", "encoded"] = Field(
        "raw", description="the images, or the autoencoder's output (defence `encoded`)"
    )

    @property
    def iterations(self) -> int:
        """How often the training reports."""
        return LBFGS_ITERATIONS if self.classifier == "logistic_regression" else self.epochs

    def classifier_settings(self) -> dict[str, Any]:
        """Return every parameter of the classifier's own training, without the autoencoder's.

        scikit-learn's logistic regression reads none of epochs, batch size, learning rate, seed.
        """
        hidden = set(AutoencoderConfig.model_fields) - set(TrainingConfig.model_fields)
        if self.classifier == "logistic_regression":
            # lbfgs starts from zero: not even the seed matters.
            hidden |= {"epochs", "batch_size", "learning_rate", "seed"}
        else:
            hidden -= {"widths", "activation"}  # first paper, 5.2.2: the autoencoder's structure
        return _settings(self, ClassifierConfig, hidden)


def unread_by(kind: str) -> set[str]:
    """Return the parameters that autoencoders of this kind do not read."""
    return {name for other, names in _ONLY_FOR.items() if other != kind for name in names}


def _settings(config: RunConfig, model: type[RunConfig], hidden: set[str]) -> dict[str, Any]:
    names = set(model.model_fields) - hidden - {"preset"}
    return config.model_dump(mode="json", include=names)
