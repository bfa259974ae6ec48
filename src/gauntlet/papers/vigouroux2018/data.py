"""What the data set alone decides of section 4.3."""

from __future__ import annotations

import numpy as np

from gauntlet.data.dataset import Dataset


def measures(data: Dataset) -> dict[str, float]:
    """Return errors and norms of black images and of the mean image, over test images."""
    test = data.x_test.astype(np.float64)
    squares = (test**2).mean(axis=(1, 2, 3))
    mean_image = data.x_train.mean(axis=0, dtype=np.float64)
    return {
        "mean_square": float(squares.mean()),
        "half_mean_square": float(squares.mean() / 2),
        "mean_image_error": float(((test - mean_image) ** 2).mean()),
        "black_image_l2": float(np.sqrt((test**2).sum(axis=(1, 2, 3))).mean()),
    }
