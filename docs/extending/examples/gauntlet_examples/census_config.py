"""Config of the entry point `census`."""

from __future__ import annotations

from gauntlet.catalogue.parameters import Parameter, one_of
from gauntlet.config.data import RunConfig, data_parameters

SPLIT = Parameter("split", one_of(("train", "test")), "train", "which images to count")


class CensusConfig(RunConfig):
    """Count the images of each class."""

    entry_point = "census"

    @classmethod
    def declare(cls) -> tuple[Parameter, ...]:
        """Return the parameters."""
        return *data_parameters(), SPLIT
