"""The part of a data set that a config asks for, and whether its classes allow an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.config.attack import AttackConfig
from gauntlet.config.base import RunConfig
from gauntlet.config.models import TrainingConfig
from gauntlet.config.published import MAGNET
from gauntlet.config.reproduce import ReproduceConfig
from gauntlet.config.tables import DLR_CLASSES
from gauntlet.config.tune import TuneConfig
from gauntlet.data.dataset import Dataset
from gauntlet.data.npz_file import PREFIX
from gauntlet.data.registry import load
from gauntlet.errors import UsageError

SHOWN = 10
"""Missing classes that a line names."""

LOCAL = ("digits", PREFIX)
"""How the names of data sets begin that need no network."""


class Part(NamedTuple):
    """Images that are learned from, held out, judged or attacked.

    Attributes:
        flag: the parameter that chose them.
        what: as a sentence names them.
        labels: theirs.
        known: classes that could be among them; what these lack is said of a larger part.
    """

    flag: str
    what: str
    labels: NDArray[np.int64]
    known: NDArray[np.int64]


def load_subset(config: RunConfig) -> Dataset:
    """Load the data set of a config, cut to size.

    Raises:
        UsageError: sizes that the data set does not have, or a file that is none.
        DataError: the data set cannot be fetched.
    """
    return load(config.dataset).take(_size(config.train_size), _size(config.test_size))


def check_local(config: RunConfig) -> None:
    """Check a config against its data set if that is on this machine.

    Raises:
        UsageError: see `load_subset` and `remarks`.
    """
    if config.dataset.startswith(LOCAL):
        list(remarks(config, load_subset(config)))


def remarks(config: RunConfig, data: Dataset) -> Iterator[str]:
    """Yield a line for each part of the data in which classes are missing, and other notes.

    Raises:
        UsageError: a part of a single class; a validation size or a target class that the data set
            does not have.
    """
    if isinstance(config, TrainingConfig):
        _check_validation_sizes(config, data)
    if isinstance(config, AttackConfig):
        _check_targets(config, data)
        if data.n_classes < DLR_CLASSES and (names := config.dlr_attacks):
            yield (
                f"note: {' and '.join(names)}: the difference of logits ratio needs {DLR_CLASSES} "
                f"classes; of the {data.n_classes} of {config.dataset} the margin is followed"
            )
    for part in _parts(config, data):
        yield from _missing(config, part)


def _check_validation_sizes(config: TrainingConfig, data: Dataset) -> None:
    for size in _validation_sizes(config):
        if size >= len(data.x_train):
            raise UsageError(
                f"--validation_size: expected less than the {len(data.x_train)} training images; "
                f"received {size}."
            )


def _check_targets(config: AttackConfig, data: Dataset) -> None:
    for name in config.targets_read:
        if (target := getattr(config, name)) >= data.n_classes:
            raise UsageError(
                f"--{name}: expected a class from 0 to {data.n_classes - 1} of {config.dataset}; "
                f"received {target}."
            )


def _missing(config: RunConfig, part: Part) -> Iterator[str]:
    present = np.unique(part.labels)
    missing = np.setdiff1d(part.known, present)
    npz = config.dataset.startswith(PREFIX)
    advice = f"{'shuffle the file, or ' if npz else ''}take more images (all: every one)"
    if len(missing) and len(present) == 1 and part.flag != "--dataset":
        raise UsageError(
            f"{part.flag}: expected at least two classes among {part.what}; received class "
            f"{present[0]} alone: {advice}."
        )
    if len(missing):
        names = ", ".join(map(str, missing[:SHOWN])) + (", ..." if len(missing) > SHOWN else "")
        yield (
            f"warning: {part.flag}: {part.what} lack {len(missing)} of {len(part.known)} classes "
            f"({names}): {advice}"
        )


def _parts(config: RunConfig, data: Dataset) -> Iterator[Part]:
    train, test, every = data.y_train, data.y_test, np.arange(data.n_classes)
    known = np.unique(train)
    yield Part("--train_size", f"the first {len(train)} training images", train, every)
    for size in _validation_sizes(config):
        kept, held_out = train[:-size], train[-size:]
        learned = f"the first {len(kept)} training images, all that is learned from,"
        yield Part("--validation_size", learned, kept, known)
        judged = f"the last {size} training images, which are held out,"
        yield Part("--validation_size", judged, held_out, known)
    flag = "--dataset" if config.test_size == "all" else "--test_size"
    yield Part(flag, f"the first {len(test)} test images", test, every)
    yield from _attacked(config, data)


def _attacked(config: RunConfig, data: Dataset) -> Iterator[Part]:
    """Yield the parts of test and held-out images that are attacked, where not all of them are."""
    test, wanted = data.y_test, []
    if isinstance(config, ReproduceConfig):
        wanted += [(name, "test", test) for name in ("few", "local_search_images")]
    if isinstance(config, TuneConfig) and config.attacks_read:
        held_out = data.y_train[-config.validation_size :]
        wanted += [("attack_images", "held-out", held_out), ("attack_images", "test", test)]
    for name, split, labels in wanted:
        size = getattr(config, name)
        what = f"the first {size} {split} images, which are attacked,"
        if size < len(labels):
            yield Part(f"--{name}", what, labels[:size], np.unique(labels))


def _validation_sizes(config: RunConfig) -> list[int]:
    if not isinstance(config, TrainingConfig):
        return []
    sizes = [config.validation_size]
    if isinstance(config, AttackConfig) and "magnet" in config.defence:
        sizes.append(config.autoencoder_config(MAGNET[0]).validation_size)  # a preset of its own
    return [size for size in dict.fromkeys(sizes) if size]


def _size(value: int | str) -> int | None:
    return None if isinstance(value, str) else value
