"""TensorFlow as this project runs it: deterministic, memory growth on, one seed at a time."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager


@functools.cache
def configure_tensorflow() -> str:
    """Switch on determinism and memory growth, once; return the name of the device in use."""
    with _silenced_stderr():
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")  # it warns of retracing where several models are compiled
    tf.config.experimental.enable_op_determinism()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Drop what TensorFlow's C++ writes at import, which no log level governs."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start_from(seed: int) -> None:
    """Make everything that Keras draws from here on (weights, shuffles) follow `seed`."""
    import keras

    configure_tensorflow()
    keras.backend.clear_session()
    keras.config.disable_interactive_logging()  # the project shows its own progress
    keras.utils.set_random_seed(seed % 2**32)
