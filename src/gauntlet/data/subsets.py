"""The part of a data set that a config asks for, and whether its classes allow an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gauntlet.arrays import Labels
from gauntlet.catalogue.classifiers import Takes
from gauntlet.catalogue.datasets import find_dataset
from gauntlet.config.data import Data, RunConfig
from gauntlet.data.dataset import Dataset
from gauntlet.data.registry import load
from gauntlet.errors import UsageError

SHOWN = 10
"""Missing classes that a line names."""


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
    labels: Labels
    known: Labels


def load_subset(config: RunConfig) -> Dataset:
    """Load the data set of a config, cut to size.

    Raises:
        UsageError: sizes that the data set does not have, or a file that is none.
        DataError: the data set cannot be fetched.
    """
    part = config.data
    return load(part.dataset).take(part.train_size, part.test_size, part.test_first)


def check_local(config: RunConfig) -> None:
    """Check a config against its data set if that is on this machine.

    Raises:
        UsageError: see `load_subset` and `remarks`.
    """
    if find_dataset(config.data.dataset)[0].is_local:
        list(remarks(config, load_subset(config)))


def remarks(config: RunConfig, data: Dataset) -> Iterator[str]:
    """Yield a line for each part of the data in which classes are missing, and other notes.

    Raises:
        UsageError: a part of a single class; a validation size or a target class that the data set
            does not have; images that the classifier does not take.
    """
    _check_takes(config, data)
    _check_validation_sizes(config, data)
    _check_classes(config, data)
    for ratio, names in config.ratios.items():
        if data.n_classes < ratio.classes:
            yield (
                f"note: {' and '.join(names)}: the {ratio.name} needs {ratio.classes} classes; of "
                f"the {data.n_classes} of {data.name} the {ratio.otherwise} is followed"
            )
    for part in _parts(config, data):
        yield from _missing(config, part)


def _check_takes(config: RunConfig, data: Dataset) -> None:
    received = Takes(data.x_test.shape[1:], data.n_classes)
    if config.takes not in (None, received):
        raise UsageError(
            f"--classifier: {config['classifier']} takes {config.takes}; received {received} "
            f"(--dataset {data.name})."
        )


def _check_validation_sizes(config: RunConfig, data: Dataset) -> None:
    for size in config.held_out_sizes:
        if size >= len(data.x_train):
            raise UsageError(
                f"--validation_size: expected less than the {len(data.x_train)} training images; "
                f"received {size}."
            )


def _check_classes(config: RunConfig, data: Dataset) -> None:
    for flag, expected, received in config.beyond(data.n_classes):
        raise UsageError(f"--{flag}: expected {expected} of {data.name}; received {received}.")


def _missing(config: RunConfig, part: Part) -> Iterator[str]:
    present = np.unique(part.labels)
    missing = np.setdiff1d(part.known, present)
    npz = bool(find_dataset(config.data.dataset)[0].argument)  # a file of the user's
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


def _test_images(part: Data, size: int) -> tuple[str, str]:
    """Return the flag that chose the test images, and what a sentence calls them."""
    if part.test_size is not None:
        flag = "--test_size"
    else:
        flag = "--test_first" if part.test_first else "--dataset"
    skipped = f"the {size} test images from image {part.test_first} on"
    return flag, skipped if part.test_first else f"the first {size} test images"


def _parts(config: RunConfig, data: Dataset) -> Iterator[Part]:
    train, test, every = data.y_train, data.y_test, np.arange(data.n_classes)
    known = np.unique(train)
    yield Part("--train_size", f"the first {len(train)} training images", train, every)
    for size in config.held_out_sizes:
        kept, held_out = train[:-size], train[-size:]
        learned = f"the first {len(kept)} training images, all that is learned from,"
        yield Part("--validation_size", learned, kept, known)
        judged = f"the last {size} training images, which are held out,"
        yield Part("--validation_size", judged, held_out, known)
    yield Part(*_test_images(config.data, len(test)), test, every)
    for name, split, size in config.first_images:
        labels = test if split == "test" else train[-max(config.held_out_sizes, default=0) :]
        if size < len(labels):
            what = f"the first {size} {split} images, which are attacked,"
            yield Part(f"--{name}", what, labels[:size], np.unique(labels))
