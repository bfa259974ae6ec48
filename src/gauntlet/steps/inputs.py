"""The data that a config names, checked against what the config asks of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gauntlet.config.attack import AttackConfig
from gauntlet.config.models import TrainingConfig
from gauntlet.config.published import MAGNET
from gauntlet.data.dataset import Dataset
from gauntlet.data.registry import load
from gauntlet.errors import UsageError


def load_data(config: TrainingConfig) -> Dataset:
    """Load, cut to size and check the data set of a config.

    Raises:
        UsageError: sizes or target classes that the data set does not have.
        DataError: the data set cannot be fetched.
    """
    data = load(config.dataset).take(_size(config.train_size), _size(config.test_size))
    for size in _validation_sizes(config):
        if size >= len(data.x_train):
            raise UsageError(
                f"--validation_size: expected less than the {len(data.x_train)} training images; "
                f"received {size}."
            )
    for name in ("target", "lr_target") if isinstance(config, AttackConfig) else ():
        if (target := getattr(config, name)) >= data.n_classes:
            raise UsageError(
                f"--{name}: expected a class from 0 to {data.n_classes - 1} of {config.dataset}; "
                f"received {target}."
            )
    return data


def _validation_sizes(config: TrainingConfig) -> Iterator[int]:
    yield config.validation_size
    if isinstance(config, AttackConfig) and "magnet" in config.defence:
        yield config.autoencoder_config(MAGNET[0]).validation_size  # of a preset of its own


def grid_indices(data: Dataset) -> NDArray[np.int64]:
    """Return the test images that every picture shows: the first one of each class, ten at most."""
    first = [int(np.argmax(data.y_test == c)) for c in np.unique(data.y_test)]
    return np.asarray(first[:10])


def _size(value: int | str) -> int | None:
    return None if isinstance(value, str) else value
