"""Networks whose authors published the weights: they go through a training that learns nothing.

So they are stored, sealed, reused and named as every other network is.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import layers

from gauntlet.arrays import Floats, Images, Labels
from gauntlet.catalogue.classifiers import Classifier
from gauntlet.catalogue.trainings import Training
from gauntlet.errors import GauntletError
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport
from gauntlet.training.outcome import Outcome

WEIGHTS = Path(__file__).with_name("weights")


def train(
    training: Training[Classifier],
    images: Images,
    labels: Labels,
    n_classes: int,
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
    *,
    epochs: int,
    validation_size: int,
) -> Outcome:
    """Return the network as published.

    Args:
        training: names the network.
        images: `(n, height, width, channels)`; their shape alone is used.
        labels: unused, as all that follows.
        n_classes: how many logits.
        report: never called.
        checkpoint: none is written.
        epochs: 0.
        validation_size: 0.

    Raises:
        GauntletError: the file of the weights is not the published one.
    """
    del labels, report, checkpoint, epochs, validation_size
    return Outcome(training.create(images.shape[1:], n_classes, training.seed))


def wong2018(
    image_shape: tuple[int, ...], n_classes: int, seed: int, *, weights: str, sha256: str
) -> keras.Model:
    """Return a network of Wong and Kolter (2018, arXiv 1711.00851, section 5.2) with its weights.

    Args:
        image_shape: `(28, 28, 1)`.
        n_classes: 10.
        seed: unused; nothing is drawn.
        weights: name of the file: arrays in PyTorch's layout, by the numbers of its layers.
        sha256: of the file.

    Raises:
        GauntletError: the file is not the published one.
    """
    del seed
    image = keras.Input(image_shape, name="image")
    # With stride 2, "same" pads 28 and 14 pixels by one on each side, as the authors do.
    x = layers.Conv2D(16, 4, 2, "same", activation="relu")(image)
    x = layers.Conv2D(32, 4, 2, "same", activation="relu")(x)
    x = layers.Dense(100, "relu")(layers.Flatten()(x))
    model = keras.Model(image, layers.Dense(n_classes, name="logits")(x), name="wong2018")
    arrays = _read(weights, sha256)
    first, second = (arrays[f"{i}.weight"].transpose(2, 3, 1, 0) for i in (0, 2))
    # PyTorch flattens (channels, height, width), Keras (height, width, channels).
    inner = arrays["5.weight"].reshape(100, 32, 7, 7).transpose(2, 3, 1, 0).reshape(-1, 100)
    kernels = zip((0, 2, 5, 7), (first, second, inner, arrays["7.weight"].T), strict=True)
    model.set_weights([array for i, kernel in kernels for array in (kernel, arrays[f"{i}.bias"])])
    return model


def _read(name: str, sha256: str) -> Mapping[str, Floats]:
    content = (WEIGHTS / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise GauntletError(f"{WEIGHTS / name} is not as published: install the project again.")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
