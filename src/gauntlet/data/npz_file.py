"""A data set of the user's own, from an npz file that is checked before it is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gauntlet.arrays import Array, Images, Labels
from gauntlet.data.arrays import describe, read_npz, to_unit_range
from gauntlet.data.dataset import KEYS, Dataset
from gauntlet.errors import UsageError

PREFIX = "npz:"


def load_npz(typed: str) -> Dataset:
    """Read `x_train`, `y_train`, `x_test` and `y_test`.

    Args:
        typed: path, which may begin with a tilde, of an npz file with images (n, h, w) or
            (n, h, w, c), uint8 in 0..255 or float in [0, 1], and integer labels (n,) in 0..k-1;
            every class occurs in training.

    Raises:
        UsageError: the file holds anything else; the message names the key, what was expected and
            what was received.
    """
    path = Path(typed).expanduser()
    arrays = _read(path)
    x_train, x_test = (_images(path, key, arrays[key]) for key in ("x_train", "x_test"))
    if x_train.shape[1:] != x_test.shape[1:]:
        shapes = f"{x_train.shape[1:]} and {x_test.shape[1:]}"
        raise _error(path, "x_test", "images shaped as in x_train", shapes)
    y_train = _labels(path, "y_train", arrays["y_train"], len(x_train))
    y_test = _labels(path, "y_test", arrays["y_test"], len(x_test))
    n_classes = _count_classes(path, y_train, y_test)
    return Dataset(f"{PREFIX}{path}", x_train, y_train, x_test, y_test, n_classes)


def _read(path: Path) -> dict[str, Array]:
    if not path.is_file():
        where = path.absolute()
        raise UsageError(
            f"{PREFIX}{path}: expected an npz file, found no file; check the path {where}."
        )
    try:
        arrays = read_npz(path, KEYS)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{PREFIX}{path}: {describe(error)}; write it anew with "
            "numpy.savez_compressed and no object arrays."
        ) from error
    for key in KEYS:
        if key not in arrays:
            found = ", ".join(sorted(arrays)) or "none of them"
            raise _error(path, key, f"the arrays {', '.join(KEYS)}", found)
    return arrays


def _images(path: Path, key: str, images: Array) -> Images:
    """Return float32 (n, h, w, c) in [0, 1]."""
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise _error(path, key, "images (n, h, w) or (n, h, w, c)", f"shape {images.shape}")
    if images.dtype == np.uint8:
        scaled = to_unit_range(images)
    elif np.issubdtype(images.dtype, np.floating):
        low, high = images.min(), images.max()
        # NaN compares false with everything, so this form refuses it too.
        if not (low >= 0 and high <= 1):
            raise _error(path, key, "floats in [0, 1]", f"{low:g} to {high:g}")
        scaled = images.astype(np.float32, copy=False)
    else:
        raise _error(path, key, "uint8 in 0..255 or floats in [0, 1]", str(images.dtype))
    return scaled if scaled.ndim == 4 else scaled[..., np.newaxis]


def _labels(path: Path, key: str, labels: Array, n_images: int) -> Labels:
    """Return the labels as int64 (n,), one per image."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise _error(path, key, "integer labels", str(labels.dtype))
    if labels.shape != (n_images,):
        raise _error(path, key, f"one label per image, shape ({n_images},)", f"{labels.shape}")
    return labels.astype(np.int64)


def _count_classes(path: Path, y_train: Labels, y_test: Labels) -> int:
    classes = np.unique(y_train)
    if len(classes) < 2 or not np.array_equal(classes, np.arange(len(classes))):
        expected = "labels 0..k-1, at least two classes, each of them present"
        received = f"{len(classes)} classes from {classes[0]} to {classes[-1]}"
        raise _error(path, "y_train", expected, received)
    if y_test.min() < 0 or y_test.max() >= len(classes):
        expected = f"labels 0..{len(classes) - 1}, as in y_train"
        raise _error(path, "y_test", expected, f"{y_test.min()} to {y_test.max()}")
    return len(classes)


def _error(path: Path, key: str, expected: str, received: str) -> UsageError:
    return UsageError(
        f"{PREFIX}{path}: {key}: expected {expected}, received {received}; "
        "correct the array and save the file again."
    )
