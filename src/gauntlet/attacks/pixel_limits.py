"""The range of an image's pixels, with a box or without one."""

from __future__ import annotations

import numpy as np

from gauntlet.arrays import Floats, Images
from gauntlet.attacks.base import Box


def pixel_limits(images: Images, box: Box) -> tuple[Floats, Floats]:
    """Return the lowest and the highest value of each image's pixels, each `(n, 1, 1, 1)`.

    They are the box's; without a box, the image's own.
    """
    if box is None:
        axes = (1, 2, 3)
        return images.min(axis=axes, keepdims=True), images.max(axis=axes, keepdims=True)
    low, high = (np.full((len(images), 1, 1, 1), end, np.float32) for end in box)
    return low, high
