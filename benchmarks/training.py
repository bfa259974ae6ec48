"""Training against plain Keras `fit`, and against the matrix products that it cannot do without."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import Comparison, compare
from gauntlet.autoencoders.architecture import build_autoencoder
from gauntlet.autoencoders.training import reconstruction_loss
from gauntlet.config.models import AutoencoderConfig
from gauntlet.networks import fit
from gauntlet.runtime import start_from

EPOCHS = 2
WIDTHS = (784, 504, 28, 28, 504, 784)


def run() -> Iterator[Comparison]:
    """Compare on the first paper's autoencoder with 60,000 images."""
    start_from(0)
    config = AutoencoderConfig(epochs=EPOCHS)
    images = np.random.default_rng(0).random((60_000, 28, 28, 1), np.float32)
    ours, theirs = (_compiled(config) for _ in range(2))
    yield compare(
        "training: cost over plain Keras fit",
        lambda: fit(ours, images, images, config, lambda *_: None),
        lambda: theirs.fit(images, images, epochs=EPOCHS, batch_size=config.batch_size, verbose=0),
        wanted="<= 1.02",
    )
    yield compare(
        "training: cost over its bare matrix products",
        lambda: fit(ours, images, images, config, lambda *_: None),
        lambda: _matrix_products(config.batch_size, EPOCHS * -(-len(images) // config.batch_size)),
        wanted="",
        rounds=3,
    )


def _compiled(config: AutoencoderConfig) -> keras.Model:
    model = build_autoencoder(config, (28, 28, 1))
    model.compile(keras.optimizers.Adam(config.learning_rate), reconstruction_loss(config))
    return model


def _matrix_products(batch: int, steps: int) -> None:
    """Do the products of forward and backward: three a layer, but two for the first."""
    for _ in range(steps):
        for i, (n_in, n_out) in enumerate(pairwise(WIDTHS)):
            x, w, g = (tf.ones(shape) for shape in ((batch, n_in), (n_in, n_out), (batch, n_out)))
            tf.matmul(x, w)
            tf.matmul(x, g, transpose_a=True)
            if i:
                tf.matmul(g, w, transpose_b=True)
