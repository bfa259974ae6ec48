"""Names of the array types, with what they hold: for annotations, without TensorFlow.

In shapes, n counts images, and an image is `(height, width, channels)`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Tensor: TypeAlias = Any
"""A TensorFlow or Keras tensor, mostly inside a compiled function.

Neither library ships types, so mypy sees `Any` and checks nothing here: the name is for readers.
"""

Variable: TypeAlias = Any
"""A Keras variable: a weight, a state of an optimizer or of a random generator. `Any` as above."""

Images: TypeAlias = NDArray[np.float32]
"""`(n, height, width, channels)`, in [0, 1] unless they come out of an autoencoder."""

Floats: TypeAlias = NDArray[np.float32]
"""Other numbers, as logits `(n, classes)` or norms `(n,)`; whoever uses it says the shape."""

Labels: TypeAlias = NDArray[np.int64]
"""True classes `(n,)`, from 0 to the number of classes - 1."""

Predictions: TypeAlias = NDArray[np.int64]
"""Predicted classes `(n,)`; -1 (`REJECTED`) where a defence rejects the image."""

Votes: TypeAlias = NDArray[np.int64]
"""Predicted classes per random draw, `(draws, n)`; one draw where nothing is random."""

Counts: TypeAlias = NDArray[np.int64]
"""Numbers of images by two classes, `(row classes, column classes)`."""

Indices: TypeAlias = NDArray[np.int64]
"""Places in another array: rows of a batch, pixels of an image, classes of a model."""

Flags: TypeAlias = NDArray[np.bool_]
"""One yes or no per image, `(n,)`; whoever uses it for pixels or draws says the shape."""

Array: TypeAlias = NDArray[Any]
"""Numbers of any type and shape, as files hold them and variables are saved."""

REJECTED = -1
"""Stands for a class where a defence rejects the image."""
