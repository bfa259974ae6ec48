"""Images and labels as they are stored: four uint8 arrays, read from npz and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gauntlet.data import idx
from gauntlet.data.dataset import KEYS, Dataset

Arrays = Mapping[str, NDArray[np.uint8]]


def read_npz(file: Path | IO[bytes]) -> dict[str, NDArray[Any]]:
    """Read the arrays of an npz archive that nobody vouches for, and close it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no npz archive, a damaged one, or one with pickled objects.
    """
    try:
        # Opened here, because np.load forgets to close a file that is no archive.
        with file.open("rb") if isinstance(file, Path) else file as opened:
            archive = np.load(opened, allow_pickle=False)
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise
    # A flipped bit can raise nearly anything: BadZipFile, zlib.error, an unknown compression.
    except Exception as error:
        raise ValueError(f"no readable npz archive ({describe(error)})") from error


def digests_of(arrays: Arrays) -> dict[str, str]:
    """Return the SHA-256 of each array written as an uncompressed IDX file."""
    return {key: _idx_sha256(arrays[key]) for key in KEYS}


def verify(arrays: Mapping[str, NDArray[Any]], expected: Mapping[str, str]) -> Arrays:
    """Return the four arrays of KEYS after checking every pixel and label.

    Args:
        arrays: by key; other keys are ignored.
        expected: SHA-256 by key, as `digests_of` gives them.

    Raises:
        ValueError: a missing array, another dtype than uint8, or another digest.
    """
    for key in KEYS:
        if key not in arrays:
            raise ValueError(f"no array '{key}'")
        if arrays[key].dtype != np.uint8:
            raise ValueError(f"{key}: expected uint8, received {arrays[key].dtype}")
        received = _idx_sha256(arrays[key])
        if received != expected[key]:
            raise ValueError(f"{key}: expected SHA-256 {expected[key]}, received {received}")
    return {key: arrays[key] for key in KEYS}


def to_dataset(name: str, arrays: Arrays, n_classes: int) -> Dataset:
    """Scale grey images (n, h, w) from 0..255 to [0, 1] and give them one channel."""
    return Dataset(
        name=name,
        x_train=to_unit_range(arrays["x_train"])[..., np.newaxis],
        y_train=arrays["y_train"].astype(np.int64),
        x_test=to_unit_range(arrays["x_test"])[..., np.newaxis],
        y_test=arrays["y_test"].astype(np.int64),
        n_classes=n_classes,
    )


def to_unit_range(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map 0..255 to float32 in [0, 1], shape unchanged."""
    return np.divide(images, np.float32(255), dtype=np.float32)


def describe(error: BaseException) -> str:
    """Return the error's type and text on one line, without a full stop."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")


def _idx_sha256(array: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(idx.header(array.shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
