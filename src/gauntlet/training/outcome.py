"""What a training leaves, and what is measured of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


class Outcome(NamedTuple):
    """What a trainer returns.

    Attributes:
        model: the network that others build on.
        others: further networks that are needed to examine it, by name.
    """

    model: keras.Model
    others: Mapping[str, keras.Model] = {}


@dataclass(frozen=True)
class Examination:
    """What an examiner finds of a trained network on test images.

    Attributes:
        metrics: `(name, value)` pairs.
        rows: images to show beside each other, by name, each `(n, height, width, channels)`.
        predicted: the classes that a classifier gives, `(n,)`.
    """

    metrics: Iterable[tuple[str, float]]
    rows: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    predicted: NDArray[np.int64] | None = None
