"""The 1,797 handwritten digits that scikit-learn ships: no network, for fast tests."""

from __future__ import annotations

import numpy as np

from gauntlet.data.dataset import Dataset

_TEST_SIZE = 297
_MAX_PIXEL = 16


def load_digits() -> Dataset:
    """Return 1,500 training and 297 test images of 8x8x1.

    The split is fixed: the last 297 images are the test set. The digits are in the order of their
    writers, so some writers of the test set are not in the training set.
    """
    from sklearn.datasets import load_digits as sklearn_digits

    bunch = sklearn_digits()
    images = (bunch.images[..., np.newaxis] / _MAX_PIXEL).astype(np.float32)
    labels = bunch.target.astype(np.int64)
    return Dataset(
        name="digits",
        x_train=images[:-_TEST_SIZE],
        y_train=labels[:-_TEST_SIZE],
        x_test=images[-_TEST_SIZE:],
        y_test=labels[-_TEST_SIZE:],
        n_classes=10,
    )
