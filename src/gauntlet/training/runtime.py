"""TensorFlow as this project runs it: deterministic, in whole float32, one seed at a time.

The user's Keras settings (`keras.json`, `KERAS_...`) are ignored, because they change numbers.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from gauntlet.errors import GauntletError

BACKEND = "tensorflow"

DEBUGGING = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")
"""Environment variables that cut trainings short or replace Keras's variables."""

_log = logging.getLogger(__name__)


@functools.cache
def configure_tensorflow() -> str:
    """Switch on determinism, whole float32 and memory growth; return the name of the device in use.

    Raises:
        GauntletError: this process has loaded Keras with another backend.
    """
    shield_keras()
    with _silenced_stderr():
        import tensorflow as tf
    _configure_keras()
    # Without this, TensorFlow warns of retracing because the project compiles several models.
    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_op_determinism()
    # GPUs round products to TensorFloat-32 otherwise, and differently by the number of rows: an
    # image that a search took just over the boundary is back behind it in another batch.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))


def shield_keras() -> None:
    """Hide the user's settings from Keras, which reads them when it is imported."""
    chosen = os.environ.get("KERAS_BACKEND") or BACKEND
    if chosen != BACKEND:
        _log.warning("KERAS_BACKEND=%s is not used: this project computes on %s", chosen, BACKEND)
    os.environ["KERAS_BACKEND"] = BACKEND
    # This is no folder, so Keras finds no keras.json there and writes none.
    os.environ["KERAS_HOME"] = os.devnull
    for name in DEBUGGING:
        os.environ.pop(name, None)


def _configure_keras() -> None:
    """Set what Keras has read from the user's settings if something imported it before us."""
    import keras

    if keras.config.backend() != BACKEND:
        raise GauntletError(
            f"Keras is loaded with the backend {keras.config.backend()!r}: set "
            f"KERAS_BACKEND={BACKEND} before it is imported."
        )
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Drop what TensorFlow's C++ code writes at import; no log level stops it."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start_from(seed: int) -> None:
    """Clear Keras's state and seed all that it draws from here on: weights, shuffles, noise.

    Args:
        seed: in [0, 2**31), as `child_seed` gives it.
    """
    configure_tensorflow()
    import keras

    keras.backend.clear_session()
    keras.config.disable_interactive_logging()  # the project shows its own progress
    keras.utils.set_random_seed(seed)
