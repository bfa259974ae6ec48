"""Steps on images that are not finished yet: whenever half of them are, the others go on alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

SMALLEST = 8
"""Images below which nothing is dropped: fewer cost hardly less, and every size is compiled."""


class ImageState(Protocol):
    """A named tuple of tensors whose first axis is the images'."""

    @property
    def finished(self) -> Any:
        """Which images need no further step, `(n,)` bool."""


State = TypeVar("State", bound=ImageState)

Stage = Callable[..., tuple[Any, Any]]


def compile_stage(step: Callable[..., Any]) -> Stage:
    """Compile `step(state, k, *shared) -> state` into a loop for any number of images.

    The loop ends at step `last`, or when no more than `enough` images are unfinished. A step must
    leave a finished image as it is.
    """

    def stage(state: Any, k: Any, last: Any, enough: Any, *shared: Any) -> tuple[Any, Any]:
        while k < last and tf.math.count_nonzero(~state.finished, dtype=tf.int32) > enough:
            state = step(state, k, *shared)
            k += 1
        return state, k

    compiled: Stage = tf.function(stage, reduce_retracing=True)
    return compiled


def run_by_halves(stage: Stage, state: State, steps: int, *shared: Any) -> tuple[State, float]:
    """Run steps 0 to `steps` - 1, or until all images are finished.

    The sizes are halves of halves of the first, not what happens to be left, since XLA compiles
    each size once.

    Args:
        stage: from `compile_stage`.
        state: of all images.
        steps: at most so many.
        shared: what no image owns: tensors that every step is given.

    Returns:
        The state of all images, and the steps an image took part in, on average.
    """
    whole = tf.nest.map_structure(lambda t: np.empty(t.shape, t.dtype.as_numpy_dtype), state)
    rows, k, taken = np.arange(len(state.finished)), 0, 0
    while len(rows):
        half = len(rows) // 2 if len(rows) >= 2 * SMALLEST else 0
        state, reached = stage(state, *map(tf.constant, (k, steps, half)), *shared)
        taken += len(rows) * (int(reached) - k)
        k = int(reached)
        order = np.argsort(state.finished, kind="stable")  # finished images come last
        going_on = half if k < steps else 0
        _write(whole, rows[order[going_on:]], _gathered(state, order[going_on:]))
        rows, state = rows[order[:going_on]], _gathered(state, order[:going_on])
    result: State = tf.nest.map_structure(tf.constant, whole)
    return result, taken / len(whole.finished)


def _gathered(state: State, rows: NDArray[np.int64]) -> State:
    """Return the state of some images."""
    picked: State = tf.nest.map_structure(lambda t: tf.gather(t, rows), state)
    return picked


def _write(whole: State, rows: NDArray[np.int64], part: State) -> None:
    for to, what in zip(tf.nest.flatten(whole), tf.nest.flatten(part), strict=True):
        to[rows] = what
