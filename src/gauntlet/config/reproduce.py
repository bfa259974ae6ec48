"""Config of the entry point that checks a paper's claims."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gauntlet.config.base import RunConfig
from gauntlet.config.models import Epochs, Widths

Paper = Literal["sivaslioglu2020", "vigouroux2018"]


class ReproduceConfig(RunConfig):
    """Run all that a paper claims, compare, and write the report."""

    paper: Paper | Literal["all"] = Field(
        "all", description="sivaslioglu2020: autoencoders before a classifier; vigouroux2018: FUNN"
    )
    seeds: int = Field(
        1,
        ge=1,
        le=1000,
        description="trainings of every network: seed, seed + 1, ...; MagNet takes the first",
    )
    few: int = Field(1000, ge=1, description="first test images for slow attacks")
    local_search_images: int = Field(
        100, ge=1, description="first test images for local_search: 19,300 queries an image"
    )
    square_queries: int = Field(1000, ge=1, le=1_000_000, description="queries of square")
    filters: Widths = Field(
        (16, 32, 64),
        description="of FUNN and the classic autoencoder; the paper's figure of them is missing",
    )
    magnet_epochs: Epochs = Field(5, description="of MagNet's autoencoders; published: 100")
    magnet_classifier_epochs: Epochs = Field(
        3, description="of the classifier behind MagNet; published: 50"
    )

    output: str = Field(
        "reports", min_length=1, description="folder of the reports; preset=smoke: its own inside"
    )

    @property
    def judges(self) -> bool:
        """Whether verdicts mean anything; smoke sizes judge nothing."""
        return self.preset != "smoke"

    @property
    def data(self) -> dict[str, Any]:
        """What every network shares: the data, and how much of it."""
        return self.model_dump(include=set(RunConfig.model_fields))
