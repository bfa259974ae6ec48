"""Config of the defences: what they are made of, and which networks fit them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from gauntlet.config.base import Names, check_names
from gauntlet.config.models import ClassifierConfig, NetworksConfig, TrainOn, check_features
from gauntlet.config.published import FROM_PRESET, MAGNET
from gauntlet.config.tables import DEFENCES, DETECTORS, MADE_OF, STOCHASTIC
from gauntlet.seeding import child_seed


class DefenceConfig(NetworksConfig):
    """The defences of a run, all of the same networks."""

    defence: Annotated[Names, AfterValidator(check_names("defence", DEFENCES))] = Field(
        ("none", "encoded", "reformer"), description=f"list of {', '.join(DEFENCES)}"
    )
    detectors: Annotated[Names, AfterValidator(check_names("detector", DETECTORS))] = Field(
        ("l2", "l1"),
        description="magnet: list of l2 (error of magnet_1), l1 (of magnet_2), jsd (divergence of "
        "the predictions, temperatures 10 and 40)",
    )
    false_positive_rate: float = Field(
        0.001, gt=0, lt=1, description="magnet: clean validation images that each detector rejects"
    )
    stochastic: bool = Field(
        False,
        description="encoded, reformer: draw a variational latent or denoising noise at test time",
    )
    eot_samples: int = Field(
        20, ge=1, le=10_000, description="stochastic: draws that each gradient averages (EOT)"
    )
    judge_draws: int = Field(
        50, ge=1, le=10_000, description="stochastic: fresh draws that vote on each image"
    )

    @model_validator(mode="after")
    def _networks_fit(self) -> DefenceConfig:
        if "features" in self.defence:
            check_features(self)
        random = self.autoencoder == "variational" or (
            self.autoencoder == "denoising" and self.noise > 0
        )
        if self.stochastic and not random:
            raise ValueError(
                "--stochastic: expected autoencoder=variational, or denoising with noise > 0; "
                f"received autoencoder={self.autoencoder}"
            )
        if self.stochastic and not set(self.defence) & set(STOCHASTIC):
            raise ValueError(
                f"--stochastic: expected a defence that draws, {' or '.join(STOCHASTIC)}; received "
                f"defence={','.join(self.defence)}"
            )
        return self

    @model_validator(mode="after")
    def _magnet_has_validation_images(self) -> DefenceConfig:
        if "magnet" in self.defence and not self.autoencoder_config(MAGNET[0]).validation_size:
            raise ValueError(
                "--validation_size: expected at least 1 for the thresholds of defence=magnet; "
                "received 0"
            )
        return self

    @property
    def trains_autoencoder(self) -> bool:
        """Whether anything reads the autoencoder's parameters."""
        return any("autoencoder" in MADE_OF[defence] for defence in self.defence)

    def sampling_settings(self, defence: str, threat_model: str) -> dict[str, Any]:
        """Return the parameters of a stochastic defence; none where nothing is drawn."""
        if not self.stochastic or defence not in STOCHASTIC or threat_model == "encoded":
            return {}
        return self.model_dump(include={"stochastic", "eot_samples", "judge_draws"})

    def defence_settings(self, defence: str) -> dict[str, Any]:
        """Return the parameters that this defence reads beside those of its models."""
        if defence != "magnet":
            return {}
        own = self.model_dump(mode="json", include={"detectors", "false_positive_rate"})
        return own | {"validation_size": self.autoencoder_config(MAGNET[0]).validation_size}

    def classifier_config(self, train_on: TrainOn, *names: str) -> ClassifierConfig:
        """Return the config of a classifier of this attack run.

        Args:
            train_on: `raw`, `encoded` or `features`.
            names: path of a child seed; none for the run's own seed.
        """
        given = self.given(NetworksConfig.model_fields)
        seed = child_seed(self.seed, *names) if names else self.seed
        return ClassifierConfig(**given | {"train_on": train_on, "seed": seed})

    @property
    def decisive(self) -> frozenset[str]:
        """MagNet's autoencoders train as published, unless something else is given."""
        return FROM_PRESET if "magnet" in self.defence else frozenset()
