"""Config of the entry point that fills the second paper's tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from gauntlet.config.attack import AttackConfig
from gauntlet.config.base import RunConfig
from gauntlet.config.models import AutoencoderConfig, Epochs, Widths
from gauntlet.errors import UsageError

Auto = Epochs | Literal["auto"]

EPSILON = 0.005
"""Second paper, table 1: budget of FGSM and of the iterative method."""

STRONG_EPSILON = 0.1


class Part(NamedTuple):
    """Some attacks on one network.

    Attributes:
        name: key of the attacks' variant: `steps 50`, `lowest`, ...
        config: attacks and networks.
        images: attack the first so many test images.
    """

    name: str
    config: AttackConfig
    images: int | Literal["all"]


class Network(NamedTuple):
    """One network of one seed, and what is done to it."""

    name: Literal["classic", "funn", "magnet"]
    seed: int
    parts: list[Part]


class FunnTablesConfig(RunConfig):
    """Fill tables 1 and 2 of the second paper: FUNN, the classic autoencoder, MagNet."""

    seeds: int = Field(
        3, ge=1, le=1000, description="trainings of FUNN and of the classic autoencoder: seed, "
        "seed + 1, ...; MagNet takes the first"
    )  # fmt: skip
    few: int = Field(
        1000, ge=1, description="first test images for the slow attacks, as the paper's star says"
    )
    local_search_images: int = Field(
        100, ge=1, description="first test images for local_search: 19,300 queries an image"
    )
    square_queries: int = Field(1000, ge=1, le=1_000_000, description="queries of square")
    filters: Widths = Field(
        AutoencoderConfig.model_fields["filters"].default,
        description="of FUNN and the classic autoencoder",
    )
    epochs: Auto = Field("auto", description="of FUNN and the classic autoencoder; auto: 40")
    init_epochs: Auto = Field("auto", description="of FUNN's first phase; auto: 9")
    magnet_epochs: Auto = Field("auto", description="of MagNet's autoencoders; auto: 100")
    magnet_classifier_epochs: Auto = Field(
        "auto", description="of the classifier behind MagNet; auto: 50"
    )

    @model_validator(mode="after")
    def _every_attack_config_holds(self) -> FunnTablesConfig:
        list(self.networks())
        return self

    def networks(self) -> Iterator[Network]:
        """Yield every network to attack, and how."""
        for seed in range(self.seed, self.seed + self.seeds):
            yield Network("classic", seed, list(self._table_1("convolutional", seed)))
            yield Network("funn", seed, list(self._table_1("funn", seed)))
        yield Network("magnet", self.seed, [self._table_2()])

    def _table_1(self, autoencoder: str, seed: int) -> Iterator[Part]:
        fixed = {
            "autoencoder": autoencoder, "seed": seed, "defence": "features",
            "filters": self.filters, "epochs": self.epochs, "init_epochs": self.init_epochs,
        }  # fmt: skip

        def part(name: str, images: int | Literal["all"], attacks: str, **own: Any) -> Part:
            return Part(name, self._attack(attacks=attacks, **fixed, **own), images)

        # The library that the paper used stepped by 0.05, so every step fills the budget.
        iterative = {"steps": 10, "rel_step": 1.0}
        yield part("steps 50", "all", "deepfool_l2,deepfool_linf,fgsm,bim", **iterative)
        yield part("pixel", self.few, "single_pixel")
        for selection in ("lowest", "highest"):
            own = {"local_search_selection": selection}
            yield part(selection, self.local_search_images, "local_search", **own)
        for steps in (200, 1000):
            deepfool = "deepfool_l2,deepfool_linf"
            yield part(f"steps {steps}", self.few, deepfool, deepfool_steps=steps)
        # cw_l2 would take as long as all else together with its own defaults.
        ensemble = {"epsilons": (STRONG_EPSILON,), "square_queries": self.square_queries}
        nearest = {"cw_steps": 300, "cw_searches": 3}
        yield part("strong", self.few, "strong,cw_l2", **ensemble, **nearest)

    def _table_2(self) -> Part:
        return Part("table 2", self._attack(
            attacks="deepfool_linf,fgsm,bim", steps=10, rel_step=1.0, seed=self.seed,
            defence="none,magnet", threat_models="white_box,gray_box", classifier="convolutional",
            classifier_epochs=self.magnet_classifier_epochs,
            autoencoder="magnet_1", epochs=self.magnet_epochs,
        ), self.few)  # fmt: skip

    def _attack(self, **own: Any) -> AttackConfig:
        shared = {
            "preset": self.preset, "dataset": self.dataset, "train_size": self.train_size,
            "test_size": self.test_size, "threat_models": "white_box", "epsilons": (EPSILON,),
        }  # fmt: skip
        given = {k: v for k, v in (shared | own).items() if v != "auto"}
        try:
            return AttackConfig(**given)
        except ValidationError as error:
            raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
