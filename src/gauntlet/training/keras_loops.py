"""Keras `fit` and `predict` as every stage uses them: a report per epoch, an end at divergence."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.config.models import AutoencoderConfig
from gauntlet.errors import DivergenceError
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint

PREDICT_BATCH = 1000

KEPT_MODELS = 8
"""Models whose compiled functions are kept, and with them the models, in memory."""

CHECKPOINT_SECONDS = 5.0
"""Least time between checkpoints: what a killed training of short epochs may have to repeat."""

EpochReport = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number (from 1) and `train/...`, `val/...` metrics."""


class Progress:
    """A training between its epochs: each is reported and, some seconds apart, kept on disk.

    Attributes:
        report: called after each epoch.
        variables: all that the next epoch depends on, in an order that never changes.
        checkpoint: where they are kept; none: nowhere.
        advice: what to do about a divergence.
    """

    def __init__(
        self,
        report: EpochReport,
        variables: Sequence[Any],
        checkpoint: Checkpoint | None,
        advice: str = "Lower --learning_rate or choose a bounded --pre_output_activation.",
    ) -> None:
        self._advice = advice
        self._report = report
        self._variables = variables
        self._checkpoint = checkpoint
        self._history: list[dict[str, float]] = []
        self._saved = time.monotonic()

    def resume(self) -> int:
        """Go on from the checkpoint, if there is one; return how many epochs are done.

        Their metrics are reported again, so that the curves of this run are whole.
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
        """Report the next epoch's metrics and keep the state when it is due.

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
    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        del epoch  # Progress counts
        self._progress.end_epoch({_name(k): float(v) for k, v in (logs or {}).items()})


def fit(
    model: keras.Model,
    inputs: NDArray[np.float32],
    targets: NDArray[np.generic],
    config: AutoencoderConfig,
    report: EpochReport,
    *,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train a compiled model in place, or go on with a training that was interrupted.

    Args:
        model: compiled; its loss says what `targets` are.
        inputs: `(n, ...)`.
        targets: `(n, ...)`; the same object as `inputs` is gathered once.
        config: of an autoencoder or a classifier: its `schedule` (the learning rate is in the
            compiled optimizer) and `validation_size`, the last images, held out for `val/`.
        report: called after every epoch.
        seed: of the order in which each epoch sees the images.
        checkpoint: where the training is kept between epochs; none: nowhere.

    Raises:
        DivergenceError: a metric became NaN or infinite.
    """
    schedule, cut = config.schedule, len(inputs) - config.validation_size
    held_out = (inputs[cut:], targets[cut:]) if config.validation_size else None
    model.optimizer.build(model.trainable_variables)
    progress = Progress(report, [*model.variables, *model.optimizer.variables], checkpoint)
    done = progress.resume()
    seeds = [epoch_seed(seed, epoch) for epoch in range(done + 1, schedule.epochs + 1)]
    if not seeds:
        return
    pair = (inputs[:cut],) if targets is inputs else (inputs[:cut], targets[:cut])
    model.fit(
        _batches(pair, schedule.batch_size, seeds),
        initial_epoch=done,
        epochs=schedule.epochs,
        steps_per_epoch=math.ceil(cut / schedule.batch_size),
        validation_data=held_out,
        validation_batch_size=1024,
        callbacks=[_EpochEnd(progress)],
        shuffle=False,  # the pipeline does
        verbose=0,
    )


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of an epoch's order: one for each, so that any epoch can be the first."""
    return child_seed(seed, "order", str(epoch))


def shuffled(n: int, seed: Any) -> Any:
    """Return the numbers 0 to n - 1 as a tensor in a random order that the seed alone decides."""
    return tf.random.experimental.stateless_shuffle(tf.range(n), seed=(seed, 0))


def _batches(pair: Sequence[NDArray[Any]], batch_size: int, seeds: Sequence[int]) -> Any:
    """Return a tf.data pipeline over all epochs: a pass over the images for each seed.

    Keras's own shuffle follows one seed through all epochs, so a resumed one would differ.
    """
    tensors = [tf.constant(array) for array in pair]
    n = len(pair[0])

    def one_epoch(seed: Any) -> Any:
        order = shuffled(n, seed)
        return tf.data.Dataset.range(0, n, batch_size).map(lambda i: order[i : i + batch_size])

    def gather(rows: Any) -> tuple[Any, Any]:
        batch = [tf.gather(tensor, rows) for tensor in tensors]
        return batch[0], batch[-1]

    indices = tf.data.Dataset.from_tensor_slices(seeds).flat_map(one_epoch)
    return indices.map(gather, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _name(keras_name: str) -> str:
    stem = keras_name.removeprefix("val_")
    return f"{'train' if stem == keras_name else 'val'}/{stem}"


def predict(model: keras.Model, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a model in inference mode over `(n, ...)`, a fixed number of rows at a time."""
    forward = _forward(model)
    batches = (inputs[i : i + PREDICT_BATCH] for i in range(0, len(inputs), PREDICT_BATCH))
    return np.concatenate([np.asarray(forward(batch)) for batch in batches])


@lru_cache(maxsize=KEPT_MODELS)
def _forward(model: keras.Model) -> Callable[[Any], Any]:
    """Compile a model for any number of rows; Keras's own `predict` costs more than the model."""
    rows = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    compiled: Callable[[Any], Any] = tf.function(
        lambda batch: model(batch, training=False), input_signature=[rows]
    )
    return compiled
