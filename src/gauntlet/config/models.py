"""Configs of the two trainings: autoencoder and classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from gauntlet.config.base import CommaSeparated, RunConfig
from gauntlet.config.published import (
    AUTOENCODER_READS,
    CLASSIFIER_SCHEDULES,
    FROM_PRESET,
    LBFGS_ITERATIONS,
    MAGNET,
    AutoencoderKind,
    Schedule,
    training_of,
    unread_by,
)

ClassifierKind = Literal["dense", "convolutional", "logistic_regression"]
TrainOn = Literal["raw", "encoded", "features"]
Activation = Literal[
    "relu", "sigmoid", "tanh", "softsign", "softplus", "exponential", "elu", "linear"
]
Loss = Literal["categorical_crossentropy", "mean_squared_error", "binary_crossentropy"]
Widths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=65536)], ...], CommaSeparated, Field(min_length=1)
]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
BatchSize = Annotated[int, Field(ge=1, le=1_000_000)]
Rate = Annotated[float, Field(gt=0, le=10)]


class TrainingConfig(RunConfig):
    """How long and how fast a network learns."""

    epochs: Epochs = Field(description="passes over the training images; funn: both phases")
    batch_size: BatchSize = Field(description="images a gradient step")
    learning_rate: Rate = Field(description="Adam's learning rate; funn has four of its own")
    validation_size: int = Field(
        ge=0, description="last N training images held out: val/loss, thresholds of magnet"
    )


class AutoencoderConfig(TrainingConfig):
    """Train one autoencoder: first paper 4 and 5.3 to 5.5; second paper 3.2; MagNet's two."""

    from_preset: ClassVar[frozenset[str]] = RunConfig.from_preset | FROM_PRESET

    autoencoder: AutoencoderKind = Field("vanilla", description="kind of autoencoder")
    widths: Widths = Field((504, 28), description="encoder widths; the decoder mirrors them")
    activation: Activation = Field("relu", description="hidden layers but the last")
    pre_output_activation: Activation = Field("exponential", description="last hidden layer")
    output_activation: Activation = Field("softplus", description="output layer")
    loss: Loss = Field(description="reconstruction loss")
    sparsity_penalty: Literal["l1", "kl"] = Field(
        "l1", description="sparse: L1 norm of the code, or KL divergence to sparsity_target"
    )
    sparsity_weight: float = Field(1e-4, gt=0, le=1e6, description="sparse: weight of the penalty")
    sparsity_target: float = Field(
        0.05, gt=0, lt=1, description="sparse: wanted mean activation of a code unit (kl)"
    )
    noise: float = Field(
        ge=0,
        le=10,
        description="denoising, magnet_: standard deviation of the training noise; "
        "denoising 0 as its paper states",
    )
    latent: int = Field(2, ge=1, le=65536, description="variational: latent dimensions")
    filters: Widths = Field(
        (32, 64, 128), description="convolutional, funn: filters of the 3x3 convolutions, stride 2"
    )
    features: int = Field(
        64, ge=1, le=65536, description="convolutional, funn: linear features of the encoder"
    )
    attacker_noise: int = Field(
        16, ge=1, le=65536, description="funn: uniform numbers beside the attacker's features"
    )
    gamma: float = Field(
        5.0, gt=0, le=1e6, description="funn: weight of the attacker's constraint (equation 8)"
    )
    beta: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="funn: the defender's error that the attacker must reach, "
        "mean squared error per pixel",
    )
    constraint: Literal["at_least", "as_printed"] = Field(
        "at_least", description="funn: error >= beta (equation 5), or <= beta, as equation 8 prints"
    )
    init_epochs: Epochs = Field(
        description="funn: epochs of the first phase, which ignores the constraint"
    )
    defender_init_rate: Rate = Field(5e-4, description="funn: Adam, defender, first phase")
    attacker_init_rate: Rate = Field(1e-3, description="funn: Adam, attacker, first phase")
    defender_rate: Rate = Field(1e-5, description="funn: Adam, defender's encoder, second phase")
    attacker_rate: Rate = Field(1e-5, description="funn: Adam, attacker's generator, second phase")

    @classmethod
    def preset_values(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the preset says of the data, and of this kind of autoencoder."""
        kind, preset = values.get("autoencoder", "vanilla"), values.get("preset", "paper")
        return {**super().preset_values(values), **training_of(kind, preset)}

    @model_validator(mode="after")
    def _a_phase_of_all(self) -> AutoencoderConfig:
        read = self.autoencoder == "funn" and self.trains_autoencoder
        if read and self.init_epochs > self.epochs:
            raise ValueError(
                f"--init_epochs: expected at most the {self.epochs} epochs of both phases; "
                f"received {self.init_epochs}"
            )
        return self

    @property
    def trains_autoencoder(self) -> bool:
        """Whether anything reads the autoencoder's parameters."""
        return True

    @property
    def schedule(self) -> Schedule:
        """How the autoencoder learns."""
        return Schedule(self.epochs, self.batch_size, self.learning_rate)

    @property
    def iterations(self) -> int:
        """How often the training reports."""
        return self.schedule.epochs

    def autoencoder_settings(self) -> dict[str, Any]:
        """Return every parameter that can change the trained autoencoder, and no other."""
        hidden = unread_by(self.autoencoder)
        if self.sparsity_penalty == "l1":
            hidden |= {"sparsity_target"}
        return _settings(self, AutoencoderConfig, hidden)

    def autoencoder_config(self, kind: AutoencoderKind | None = None) -> AutoencoderConfig:
        """Return the config of the autoencoder alone; what was not given is as its kind has it."""
        given = self.given(AutoencoderConfig.model_fields)
        return AutoencoderConfig(**given | ({} if kind is None else {"autoencoder": kind}))


class NetworksConfig(AutoencoderConfig):
    """An autoencoder and a classifier."""

    classifier: ClassifierKind = Field("dense", description="kind of classifier")
    classifier_epochs: Epochs | Literal["auto"] = Field(
        "auto",
        description="auto, as published: dense as the autoencoder, 50 convolutional, "
        "20 on features",
    )
    classifier_batch_size: BatchSize | Literal["auto"] = Field(
        "auto", description="auto: dense as the autoencoder, else 128"
    )
    classifier_rate: Rate | Literal["auto"] = Field(
        "auto", description="auto: dense as the autoencoder, 0.01 convolutional, 0.001 on features"
    )
    head_units: int = Field(
        64, ge=1, le=65536, description="hidden units of a dense classifier on features"
    )


class ClassifierConfig(NetworksConfig):
    """Train one classifier: on the images, or on the autoencoder's output or features of them."""

    train_on: TrainOn = Field(
        "raw",
        description="the images, the autoencoder's output (defence `encoded`) or its "
        "features (defence `features`)",
    )

    @classmethod
    def preset_values(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the preset says; a classifier holds out no images unless it is told to.

        So it learns from the same images whichever autoencoder stands before it.
        """
        return {**super().preset_values(values), "validation_size": 0}

    @model_validator(mode="after")
    def _features_are_flat(self) -> ClassifierConfig:
        if self.train_on == "features":
            check_features(self)
        return self

    @property
    def schedule(self) -> Schedule:
        """How the classifier learns; what is `auto` as published."""
        name = self.train_on if self.train_on == "features" else self.classifier
        published = CLASSIFIER_SCHEDULES.get(name, super().schedule)
        wanted = (self.classifier_epochs, self.classifier_batch_size, self.classifier_rate)
        given = {k: w for k, w in zip(Schedule._fields, wanted, strict=True) if w != "auto"}
        return published._replace(**given)  # type: ignore[arg-type]

    @property
    def iterations(self) -> int:
        """How often the training reports."""
        return LBFGS_ITERATIONS if self._is_regression else self.schedule.epochs

    @property
    def trains_autoencoder(self) -> bool:
        """Whether anything reads the autoencoder's parameters."""
        return self.train_on != "raw"

    @property
    def _is_regression(self) -> bool:
        return self.classifier == "logistic_regression"

    def classifier_settings(self) -> dict[str, Any]:
        """Return every parameter of the classifier's own training, without the autoencoder's.

        scikit-learn's logistic regression reads none of epochs, batch size, learning rate, seed.
        """
        read = {*RunConfig.model_fields, "validation_size", "classifier", "train_on"}
        if self._is_regression:
            # lbfgs starts from zero: not even the seed matters.
            return _settings(
                self, ClassifierConfig, set(ClassifierConfig.model_fields) - read | {"seed"}
            )
        if self.train_on == "features":
            read |= {"head_units"}
        elif self.classifier == "dense":
            read |= {"widths", "activation"}  # first paper, 5.2.2: the autoencoder's structure
        own = _settings(self, ClassifierConfig, set(ClassifierConfig.model_fields) - read)
        return own | self.schedule._asdict()


def check_features(config: NetworksConfig) -> None:
    """Check that the classifier can stand on features of the autoencoder.

    Raises:
        ValueError: the classifier wants images, or the autoencoder has no code.
    """
    if config.classifier != "dense":
        raise ValueError(
            f"--classifier: expected dense on features; received {config.classifier!r}"
        )
    if config.autoencoder in MAGNET:
        kinds = [kind for kind in AUTOENCODER_READS if kind not in MAGNET]
        raise ValueError(
            f"--autoencoder: expected one that has features, {', '.join(kinds)}; received "
            f"{config.autoencoder!r}"
        )


def _settings(config: RunConfig, model: type[RunConfig], hidden: set[str]) -> dict[str, Any]:
    # How many test images are attacked is no matter of a training.
    names = set(model.model_fields) - hidden - {"preset", "test_size"}
    return config.model_dump(mode="json", include=names)
