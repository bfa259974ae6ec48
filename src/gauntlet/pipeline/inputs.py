"""The data that a config names, checked against what the config asks of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gauntlet.config.data import RunConfig
from gauntlet.data.dataset import Dataset
from gauntlet.data.subsets import load_subset, remarks
from gauntlet.pipeline.console import say


def load_data(config: RunConfig, *others: RunConfig) -> Dataset:
    """Load, cut to size and check the data set of a config; say what is missing in it.

    Args:
        config: names the data set and its size.
        others: configs that read the same data.

    Raises:
        UsageError: sizes or target classes that the data set does not have; a single class.
        DataError: the data set cannot be fetched.
    """
    data = load_subset(config)
    for line in dict.fromkeys(line for one in (config, *others) for line in remarks(one, data)):
        say(line)
    return data


def grid_indices(data: Dataset) -> NDArray[np.int64]:
    """Return the test images that every picture shows: the first one of each class, ten at most."""
    first = [int(np.argmax(data.y_test == c)) for c in np.unique(data.y_test)]
    return np.asarray(first[:10])
