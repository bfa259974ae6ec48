"""Keras `fit` and `predict` as every stage uses them.

`fit` reports once per epoch, stops when a metric is NaN or infinite, and can go on with a training
that was interrupted: the resumed training ends with the same bits as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias, TypedDict, Unpack

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.arrays import Array, Floats, Tensor, Variable
from gauntlet.errors import DivergenceError
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint

PREDICT_BATCH = 1000
"""Rows per forward pass of `predict`."""

KEPT_MODELS = 8
"""Models of which compiled functions are cached; the cache keeps these models in memory."""

CHECKPOINT_SECONDS = 5.0
"""Minimum seconds between checkpoints; a killed training repeats at most about this much work plus
one epoch."""

EpochReport: TypeAlias = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number, from 1, and its `train/...` and `val/...` metrics."""


class Progress:
    """Follows a training from epoch to epoch: reports each, and saves some of them on disk."""

    def __init__(
        self,
        report: EpochReport,
        variables: Sequence[Variable],
        checkpoint: Checkpoint | None,
        advice: str,
    ) -> None:
        """Take over a training that has not begun.

        Args:
            report: called after each epoch.
            variables: everything that the next epoch depends on, in an order that never changes:
                weights, states of optimizers and of random generators.
            checkpoint: where they are saved; None: nowhere.
            advice: what the user can do about a divergence.
        """
        self._advice = advice
        self._report = report
        self._variables = variables
        self._checkpoint = checkpoint
        self._history: list[dict[str, float]] = []
        self._saved = time.monotonic()

    def resume(self) -> int:
        """Restore the variables from the checkpoint, if there is one; return the epochs done.

        The metrics of those epochs are reported again, so that this run's curves have no gap.
        """
        found = self._checkpoint.found if self._checkpoint else None
        if found is None:
            return 0
        for variable, array in zip(self._variables, found.arrays, strict=True):
            variable.assign(array)
        for epoch, metrics in enumerate(found.history, 1):
            self._report(epoch, metrics)
        self._history = found.history
        return len(found.history)

    def end_epoch(self, metrics: dict[str, float]) -> None:
        """Report the next epoch's metrics, and save the state when it is due.

        Raises:
            DivergenceError: a metric is NaN or infinite.
        """
        self._history.append(metrics)
        epoch = len(self._history)
        self._report(epoch, metrics)
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            raise DivergenceError(
                f"training diverged in epoch {epoch}: {bad[0]} is {metrics[bad[0]]}. {self._advice}"
            )
        if self._checkpoint and time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            arrays = [np.asarray(keras.ops.convert_to_numpy(v)) for v in self._variables]
            self._checkpoint.save(self._history, arrays)
            self._saved = time.monotonic()


class _EpochEnd(keras.callbacks.Callback):
    """Hands Keras's metrics of each epoch to `Progress`."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        del epoch  # `Progress` counts epochs itself
        self._progress.end_epoch({_name(k): float(v) for k, v in (logs or {}).items()})


class Schedule(TypedDict):
    """How long a training learns, and from what; trainers pass it on to `fit`.

    Attributes:
        epochs: passes over the images.
        batch_size: images per gradient step.
        validation_size: how many of the last images are held out for `val/`.
    """

    epochs: int
    batch_size: int
    validation_size: int


def fit(
    model: keras.Model,
    inputs: Floats,
    targets: NDArray[np.generic],
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
    *,
    seed: int,
    advice: str,
    **schedule: Unpack[Schedule],
) -> None:
    """Train a compiled model in place, or go on with a training that was interrupted.

    A resumed training ends with the same bits, because all that an epoch depends on is either in
    the checkpoint (weights, optimizer, random generators) or follows from its number (the order of
    the images).

    Args:
        model: compiled; its loss says what `targets` are.
        inputs: `(n, ...)`.
        targets: `(n, ...)`; if it is the same object as `inputs`, each batch is gathered once.
        report: called after every epoch.
        checkpoint: where the training is saved between epochs; None: nowhere.
        seed: of the order in which each epoch sees the images.
        advice: what the user can do about a divergence.
        schedule: see `Schedule`.

    Raises:
        DivergenceError: a metric became NaN or infinite.
    """
    epochs, batch_size = schedule["epochs"], schedule["batch_size"]
    cut = len(inputs) - schedule["validation_size"]
    held_out = (inputs[cut:], targets[cut:]) if cut < len(inputs) else None
    progress = Progress(report, _variables(model), checkpoint, advice)
    done = progress.resume()
    seeds = [epoch_seed(seed, epoch) for epoch in range(done + 1, epochs + 1)]
    if not seeds:  # the checkpoint was saved after the last epoch
        return
    pair = (inputs[:cut],) if targets is inputs else (inputs[:cut], targets[:cut])
    model.fit(
        _batches(pair, batch_size, seeds),
        initial_epoch=done,
        epochs=epochs,
        steps_per_epoch=math.ceil(cut / batch_size),
        validation_data=held_out,
        validation_batch_size=1024,
        callbacks=[_EpochEnd(progress)],
        shuffle=False,  # the pipeline shuffles
        verbose=0,
    )


def _variables(model: keras.Model) -> list[Variable]:
    """Return all that training changes, in an order that never changes."""
    # Keras makes the optimizer's variables at the first step; a checkpoint needs them before it.
    model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of the order of one epoch, from 1, so that training can resume at any."""
    return child_seed(seed, "order", str(epoch))


def shuffled(n: int, seed: int | Tensor) -> Tensor:
    """Return the numbers 0 to n - 1 in a random order that depends on the seed alone, `(n,)`."""
    return tf.random.experimental.stateless_shuffle(tf.range(n), seed=(seed, 0))


def _batches(pair: Sequence[Array], batch_size: int, seeds: Sequence[int]) -> tf.data.Dataset:
    """Return a pipeline over all epochs: one pass over the rows per seed.

    Keras's own shuffle follows one seed through all epochs, so it would not resume with the same
    orders. `pair` is `(inputs, targets)`, or `(inputs,)` if the targets are the inputs.
    """
    tensors = [tf.constant(array) for array in pair]
    n = len(pair[0])

    def one_epoch(seed: Tensor) -> tf.data.Dataset:
        order = shuffled(n, seed)
        return tf.data.Dataset.range(0, n, batch_size).map(lambda i: order[i : i + batch_size])

    def gather(rows: Tensor) -> tuple[Tensor, Tensor]:
        batch = [tf.gather(tensor, rows) for tensor in tensors]
        return batch[0], batch[-1]

    indices = tf.data.Dataset.from_tensor_slices(seeds).flat_map(one_epoch)
    return indices.map(gather, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _name(keras_name: str) -> str:
    """Return the project's name of a metric: `val_loss` is `val/loss`, `loss` is `train/loss`."""
    stem = keras_name.removeprefix("val_")
    return f"{'train' if stem == keras_name else 'val'}/{stem}"


def predict(model: keras.Model, inputs: Floats) -> Floats:
    """Run a model in inference mode over inputs `(n, ...)`, at most `PREDICT_BATCH` at a time."""
    forward = _forward(model)
    batches = (inputs[i : i + PREDICT_BATCH] for i in range(0, len(inputs), PREDICT_BATCH))
    return np.concatenate([np.asarray(forward(batch)) for batch in batches])


@lru_cache(maxsize=KEPT_MODELS)
def _forward(model: keras.Model) -> Callable[[Tensor], Tensor]:
    """Compile a model for any number of rows; Keras's own `predict` costs more than the model."""
    rows = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    compiled: Callable[[Tensor], Tensor] = tf.function(
        lambda batch: model(batch, training=False), input_signature=[rows], autograph=False
    )
    return compiled
