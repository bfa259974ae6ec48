"""Images and labels as files hold them: four uint8 arrays, read from npz and checked.

A header of a few bytes can claim any size, and a megabyte of zeros inflates to a gigabyte. So the
claimed sizes are read and checked first, and nothing is read beyond them.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from gauntlet.arrays import Array, Images
from gauntlet.data import idx
from gauntlet.data.dataset import KEYS, Dataset

Arrays: TypeAlias = Mapping[str, NDArray[np.uint8]]
"""The four arrays of `KEYS` as published: grey images `(n, h, w)` in 0..255, labels `(n,)`."""

MOST_BYTES = 2 * 2**30
"""Memory that all arrays may take together: 2 GiB, or 680,000 images of MNIST. Each number
counts at least four bytes, because pixels are used as float32."""

HEADER_BYTES = 2**14
"""Bytes that are read of a header; NumPy refuses headers of more than 10,000."""

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compressions that NumPy writes. Readers of others may inflate more than they are asked to."""


def read_npz(
    file: Path | IO[bytes], keys: Iterable[str] | None = None, most_bytes: int = MOST_BYTES
) -> dict[str, Array]:
    """Read arrays of an npz archive, and close the file.

    Args:
        file: the archive.
        keys: arrays to read, as far as the archive has them; None: all that it has.
        most_bytes: memory that the arrays may take together.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no npz archive or a damaged one, it holds pickled objects, or its
            arrays claim more than `most_bytes` or hold more than they claim.
    """
    try:
        with (
            file.open("rb") if isinstance(file, Path) else file as opened,
            zipfile.ZipFile(opened) as archive,
        ):
            members = _members(archive, keys)
            _check_claims(archive, members, most_bytes)
            return {key: _read(archive, member) for key, member in members.items()}
    except FileNotFoundError:
        raise
    # A damaged file can raise nearly anything: BadZipFile, zlib.error, an unknown compression.
    except Exception as error:
        raise ValueError(f"no readable npz archive ({describe(error)})") from error


def digests_of(arrays: Arrays) -> dict[str, str]:
    """Return the SHA-256 of each array written as an uncompressed IDX file."""
    return {key: _idx_sha256(arrays[key]) for key in KEYS}


def verify(arrays: Mapping[str, Array], expected: Mapping[str, str]) -> Arrays:
    """Return the four arrays of `KEYS` after checking every pixel and label.

    Args:
        arrays: by key; other keys are ignored.
        expected: SHA-256 by key, as `digests_of` gives them.

    Raises:
        ValueError: an array is missing, is not uint8, or has another digest.
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


def to_unit_range(images: NDArray[np.uint8]) -> Images:
    """Map 0..255 to float32 in [0, 1], shape unchanged."""
    return np.divide(images, np.float32(255), dtype=np.float32)


def describe(error: BaseException) -> str:
    """Return the error's type and text on one line, without a full stop."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")


def _idx_sha256(array: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(idx.header(array.shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _members(archive: zipfile.ZipFile, keys: Iterable[str] | None) -> dict[str, zipfile.ZipInfo]:
    named = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    wanted = named if keys is None else keys
    return {key: named[key] for key in wanted if key in named}


def _check_claims(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], most_bytes: int
) -> None:
    claimed = sum(_claim(archive, member) for member in members.values())
    if claimed > most_bytes:
        raise ValueError(
            f"its arrays claim {claimed / 2**30:.1f} GiB of memory, expected at most "
            f"{most_bytes / 2**30:.1f}: take fewer or smaller images"
        )


def _claim(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return the bytes that an array will take by its own header, at least four per number."""
    if member.compress_type not in COMPRESSIONS:
        raise ValueError(f"{member.filename}: expected a stored or deflated array")
    with archive.open(member) as stream:
        head = io.BytesIO(stream.read(HEADER_BYTES))
    version = npy.read_magic(head)
    # Version 3 differs from 2 in the encoding of field names, which no image has.
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(head)
    if dtype.hasobject:
        raise ValueError(f"{member.filename}: expected numbers, found objects (allow_pickle=False)")
    numbers = math.prod(shape)
    if head.tell() + numbers * dtype.itemsize != member.file_size:
        raise ValueError(f"{member.filename}: shape {shape} of {dtype} is not what it holds")
    return numbers * max(dtype.itemsize, np.dtype(np.float32).itemsize)


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as stream:
        array: Array = npy.read_array(stream, allow_pickle=False)
        stream.read(1)  # at the end of the stream, zipfile compares the checksum
    return array
