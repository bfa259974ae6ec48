"""Keras `fit` and `predict` as every stage uses them: a report an epoch, an end at divergence."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.config.models import Schedule
from gauntlet.errors import DivergenceError

PREDICT_BATCH = 1000

KEPT_MODELS = 8
"""Models whose compiled functions are kept, and with them the models, in memory."""

EpochReport = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number (from 1) and `train/...`, `val/...` metrics."""


class _Reporter(keras.callbacks.Callback):
    def __init__(self, report: EpochReport) -> None:
        super().__init__()
        self._report = report

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        metrics = {_name(k): float(v) for k, v in (logs or {}).items()}
        self._report(epoch + 1, metrics)
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            raise DivergenceError(
                f"training diverged in epoch {epoch + 1}: {bad[0]} is {metrics[bad[0]]}. "
                "Lower --learning_rate or choose a bounded --pre_output_activation."
            )


def fit(
    model: keras.Model,
    inputs: NDArray[np.float32],
    targets: NDArray[np.generic],
    schedule: Schedule,
    validation_size: int,
    report: EpochReport,
) -> None:
    """Train a compiled model in place.

    Args:
        model: compiled; its loss says what `targets` are.
        inputs: `(n, ...)`.
        targets: `(n, ...)`.
        schedule: epochs and batch size; the learning rate is in the compiled optimizer.
        validation_size: the last so many images are held out for `val/`.
        report: called after every epoch.

    Raises:
        DivergenceError: a metric became NaN or infinite.
    """
    cut = len(inputs) - validation_size
    held_out = (inputs[cut:], targets[cut:]) if validation_size else None
    model.fit(
        inputs[:cut],
        targets[:cut],
        epochs=schedule.epochs,
        batch_size=schedule.batch_size,
        validation_data=held_out,
        validation_batch_size=1024,
        callbacks=[_Reporter(report)],
        verbose=0,
    )


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
