"""Which data a run computes on, and the parameters that every computing entry point has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gauntlet.catalogue.attacks import Ratio
from gauntlet.catalogue.classifiers import Takes
from gauntlet.catalogue.datasets import DATASET_TYPE, typed_datasets
from gauntlet.catalogue.parameters import PRESET, Parameter, Values, integer, one_of
from gauntlet.config.config import Config

PRESETS: Mapping[str, Values] = {
    "paper": {"dataset": "mnist", "train_size": "all", "test_size": "all"},
    # scikit-learn's digits: no network, a whole attack run in seconds.
    "smoke": {"dataset": "digits", "train_size": 1000, "test_size": 200},
}

_SIZE = integer(1) | Literal["all"]

PRESET_PARAMETER = Parameter(
    "preset",
    one_of(PRESETS),
    "paper",
    "paper: full size as published; smoke: small data, about a minute",
)
TRAIN_SIZE = Parameter("train_size", _SIZE, PRESET, "use the first N training images, or all")
TEST_SIZE = Parameter("test_size", _SIZE, PRESET, "use N test images, or all")
TEST_FIRST = Parameter(
    "test_first", integer(0), 0, "skip so many test images: attack some that nobody tuned on"
)
SEED = Parameter("seed", integer(0, 2**63 - 1), 0, "root of every random number of the run")


def data_parameters() -> tuple[Parameter, ...]:
    """Return the parameters of every entry point that computes on a data set."""
    dataset = Parameter("dataset", DATASET_TYPE, PRESET, typed_datasets())
    return PRESET_PARAMETER, dataset, TRAIN_SIZE, TEST_SIZE, TEST_FIRST, SEED


@dataclass(frozen=True)
class Data:
    """The part of a data set that a run computes on.

    Attributes:
        dataset: as it is typed.
        train_size: how many of the first training images; None: all.
        test_first: index of the first test image.
        test_size: how many test images from there on; None: all.
    """

    dataset: str
    train_size: int | None
    test_first: int
    test_size: int | None


class First(NamedTuple):
    """A parameter that takes the first images of a split.

    Attributes:
        parameter: its name.
        split: `held-out` or `test`.
        size: how many.
    """

    parameter: str
    split: Literal["held-out", "test"]
    size: int


class TooMany(NamedTuple):
    """A parameter that asks for more classes than a data set has.

    Attributes:
        flag: its name.
        expected: what its value may be.
        received: its value.
    """

    flag: str
    expected: str
    received: int


class RunConfig(Config):
    """The config of an entry point that computes on a data set."""

    @classmethod
    def preset_values(cls, values: Values) -> Values:
        """Return what the preset says of the data."""
        return PRESETS[values.get("preset", PRESET_PARAMETER.default)]

    @property
    def data(self) -> Data:
        """Which data it computes on."""
        return Data(
            self["dataset"],
            _number(self["train_size"]),
            self["test_first"],
            _number(self["test_size"]),
        )

    @property
    def seed(self) -> int:
        """Root of every random number."""
        return int(self["seed"])

    @property
    def preset(self) -> str:
        """`paper` or `smoke`."""
        return str(self["preset"])

    @property
    def held_out_sizes(self) -> tuple[int, ...]:
        """How many of the last training images some training does not learn from, where any."""
        return ()

    @property
    def first_images(self) -> tuple[First, ...]:
        """Images of which only the first ones are used, beside what `data` says."""
        return ()

    @property
    def takes(self) -> Takes | None:
        """The only images that its classifier takes; None: any."""
        return None

    @property
    def ratios(self) -> Mapping[Ratio, Sequence[str]]:
        """The differences of logits ratios that are followed, each with the attacks that do."""
        return {}

    def beyond(self, classes: int) -> Iterable[TooMany]:  # noqa: ARG002
        """Return what asks for more than so many classes."""
        return ()


def _number(size: int | str) -> int | None:
    return None if isinstance(size, str) else size
