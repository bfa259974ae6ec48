"""Steps on many images that finish at different times: finished images are dropped.

A compiled loop cannot drop single images, because every batch size is compiled anew. So a loop ends
as soon as half of its images are finished, and the other half goes on in a loop of that size. The
sizes are n, n / 2, n / 4, ..., the same in each run, and each is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Indices, Tensor

SMALLEST = 8
"""Fewest images that go on alone: smaller batches are hardly faster, and each size is compiled."""


class ImageState(Protocol):
    """A named tuple of tensors (nested ones too) whose first axis is the images'."""

    @property
    def finished(self) -> Tensor:
        """Which images need no further step, `(n,)` bool."""


State = TypeVar("State", bound=ImageState)


class Stage(Protocol):
    """A compiled loop of steps; see `compile_stage`."""

    def __call__(
        self, state: State, k: Tensor, last: Tensor, enough: Tensor, *shared: object
    ) -> tuple[State, Tensor]:
        """Return the state after the loop, and the number of the step that would come next."""


def compile_stage(step: Callable[..., State]) -> Stage:
    """Compile `step(state, k, *shared) -> state` into a loop for any number of images.

    The loop ends before step `last`, or as soon as at most `enough` images are unfinished. A step
    must leave a finished image as it is. It is traced as it stands: no `len`, condition or loop of
    Python's over a tensor.
    """

    traced = tf.autograph.experimental.do_not_convert(step)  # its own loops are TensorFlow's

    def stage(
        state: State, k: Tensor, last: Tensor, enough: Tensor, *shared: object
    ) -> tuple[State, Tensor]:
        while k < last and tf.math.count_nonzero(~state.finished, dtype=tf.int32) > enough:
            state = traced(state, k, *shared)
            k += 1
        return state, k

    compiled: Stage = tf.function(stage, reduce_retracing=True)
    return compiled


def run_by_halves(stage: Stage, state: State, steps: int, *shared: object) -> tuple[State, float]:
    """Run steps 0 to `steps` - 1, or until all images are finished.

    Args:
        stage: from `compile_stage`.
        state: of all images.
        steps: at most so many.
        shared: tensors, and tuples of them, that every step is given; they belong to no image.

    Returns:
        The state of all images, and the number of steps an image took part in, on average.
    """
    # `whole` collects the last state of every image; `rows` are the images that `state` holds.
    whole = tf.nest.map_structure(lambda t: np.empty(t.shape, t.dtype.as_numpy_dtype), state)
    rows, k, taken = np.arange(len(state.finished)), 0, 0
    while len(rows):
        # A batch too small to be halved runs until all its images are finished.
        half = len(rows) // 2 if len(rows) >= 2 * SMALLEST else 0
        state, reached = stage(state, *map(tf.constant, (k, steps, half)), *shared)
        taken += len(rows) * (int(reached) - k)
        k = int(reached)
        # The first half of this order goes on. It holds every unfinished image; where there are
        # fewer than half, finished ones fill it up, and further steps do not change those.
        order = np.argsort(state.finished, kind="stable")
        going_on = half if k < steps else 0
        _write(whole, rows[order[going_on:]], _gathered(state, order[going_on:]))
        rows, state = rows[order[:going_on]], _gathered(state, order[:going_on])
    result: State = tf.nest.map_structure(tf.constant, whole)
    return result, taken / len(whole.finished)


def _gathered(state: State, rows: Indices) -> State:
    """Return the state of some images."""
    picked: State = tf.nest.map_structure(lambda t: tf.gather(t, rows), state)
    return picked


def _write(whole: State, rows: Indices, part: State) -> None:
    """Write the state of some images into the arrays of all."""
    for to, what in zip(tf.nest.flatten(whole), tf.nest.flatten(part), strict=True):
        to[rows] = what
