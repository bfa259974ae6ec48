"""The one shape in which every data set reaches the rest of the project."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gauntlet.arrays import Images, Labels
from gauntlet.errors import UsageError

KEYS = ("x_train", "y_train", "x_test", "y_test")


# eq=False: comparing arrays element by element has no single truth value.
@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, split into training and test.

    Attributes:
        name: the name it was loaded by.
        x_train: float32 (n, h, w, c) in [0, 1].
        y_train: int64 (n,) in [0, n_classes).
        x_test: float32 (m, h, w, c) in [0, 1].
        y_test: int64 (m,) in [0, n_classes).
        n_classes: number of classes.
        whole: the data set that this is a part of; None: it is whole itself.

    The constructor makes the four arrays read-only: an attack that works in place must copy.
    """

    name: str
    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels
    n_classes: int
    whole: Dataset | None = None

    def __post_init__(self) -> None:
        for key in KEYS:
            getattr(self, key).setflags(write=False)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over all four arrays, as hex digits."""
        return self._digest(*KEYS)

    @cached_property
    def train_sha256(self) -> str:
        """SHA-256 over training images and labels: what a training learns from."""
        return self._digest("x_train", "y_train")

    @cached_property
    def test_sha256(self) -> str:
        """SHA-256 over test images and labels."""
        return self._digest("x_test", "y_test")

    def _digest(self, *keys: str) -> str:
        digest = hashlib.sha256()
        for key in keys:
            array = getattr(self, key)
            digest.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @cached_property
    def with_all_test_images(self) -> Dataset:
        """These training images with all test images, however many of those are attacked."""
        if self.whole is None:
            return self
        return replace(self, x_test=self.whole.x_test, y_test=self.whole.y_test, whole=None)

    def take(
        self, train_size: int | None = None, test_size: int | None = None, test_first: int = 0
    ) -> Dataset:
        """Return a part of each split, without copying images.

        Args:
            train_size: how many of the first training images; None takes all.
            test_size: how many test images from `test_first` on; None takes all that are left.
            test_first: how many test images to skip.

        Raises:
            UsageError: no image is left, or there are fewer than are asked for.
        """
        available = len(self.x_test)
        if test_first >= available:
            raise UsageError(
                f"--test_first: expected less than the {available} test images of data set "
                f"'{self.name}'; received {test_first}."
            )
        train = self._checked("--train_size", train_size, len(self.x_train))
        test = self._checked("--test_size", test_size, available - test_first, test_first)
        rows = slice(test_first, test_first + test)
        return replace(
            self,
            x_train=self.x_train[:train],
            y_train=self.y_train[:train],
            x_test=self.x_test[rows],
            y_test=self.y_test[rows],
            whole=self.whole or self,
        )

    def _checked(self, flag: str, size: int | None, available: int, first: int = 0) -> int:
        if size is None:
            return available
        if not 1 <= size <= available:
            rest = f" from image {first} on" if first else ""
            raise UsageError(
                f"{flag}: expected 1 to {available} (all of data set '{self.name}'{rest}), "
                f"received {size}."
            )
        return size
