"""A data set by name."""

from __future__ import annotations

from gauntlet.catalogue.components import load as load_code
from gauntlet.catalogue.datasets import find_dataset
from gauntlet.data.dataset import Dataset
from gauntlet.errors import UsageError


def load(typed: str) -> Dataset:
    """Return a data set, verified.

    Args:
        typed: as on the command line: `mnist`, `npz:PATH`, ...

    Raises:
        UsageError: an unknown name, or a file that is missing or malformed.
        DataError: no source of the data set could be reached and trusted.
    """
    try:
        entry, argument = find_dataset(typed)
    except ValueError as error:
        raise UsageError(str(error)) from None
    found: Dataset = load_code(entry.code)(*([argument] if entry.argument else []))
    return found
