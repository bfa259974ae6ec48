"""The data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from gauntlet.catalogue.components import Catalogue, Component
from gauntlet.errors import unknown_name


@dataclass(frozen=True, kw_only=True, eq=False)
class DatasetEntry(Component):
    """A data set; its code is a function that returns a verified `gauntlet.data.dataset.Dataset`.

    Attributes:
        classes: how many there are, where that is known before it is loaded.
        is_local: it needs no network.
        argument: what is typed behind its name and a colon, for help; empty: nothing.
    """

    classes: int | None = None
    is_local: bool = False
    argument: str = ""

    @property
    def typed(self) -> str:
        """How it is typed."""
        return f"{self.name}:{self.argument}" if self.argument else self.name


DATASETS = Catalogue(
    DatasetEntry,
    "data set",
    (
        DatasetEntry(
            name="mnist",
            sentence="70,000 handwritten digits, 28x28",
            source="LeCun et al. 1998",
            code="gauntlet.data.mnist:load_mnist",
            classes=10,
        ),
        DatasetEntry(
            name="fashion_mnist",
            sentence="70,000 pictures of clothes, 28x28",
            source="Xiao et al. 2017",
            code="gauntlet.data.mnist:load_fashion_mnist",
            classes=10,
        ),
        DatasetEntry(
            name="digits",
            sentence="1,797 handwritten digits, 8x8, out of scikit-learn",
            source="Alpaydin and Kaynak 1998",
            code="gauntlet.data.digits:load_digits",
            classes=10,
            is_local=True,
        ),
        DatasetEntry(
            name="npz",
            sentence="a file of your own: arrays x_train, y_train, x_test, y_test",
            code="gauntlet.data.npz_file:load_npz",
            is_local=True,
            argument="PATH",
        ),
    ),
)


def find_dataset(typed: str) -> tuple[DatasetEntry, str]:
    """Return the data set that a text names, and what stands behind its colon.

    Raises:
        ValueError: it names none; the text names the nearest.
    """
    name, colon, argument = typed.partition(":")
    entry = DATASETS.get(name)
    if entry is None or bool(entry.argument) != bool(colon and argument):
        raise ValueError(
            unknown_name("data set", typed, [known.typed for known in DATASETS.values()])
        )
    return entry, argument


def _check(typed: str) -> str:
    find_dataset(typed)
    return typed


def typed_datasets() -> str:
    """Return how each data set is typed, for help."""
    *first, last = (entry.typed for entry in DATASETS.values())
    return f"{', '.join(first)} or {last}"


DATASET_TYPE = Annotated[str, AfterValidator(_check)]
