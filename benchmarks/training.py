"""Training compared with plain Keras `fit`, and with the bare matrix products that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from itertools import pairwise

import keras
import numpy as np
import tensorflow as tf

from benchmarks.timing import Comparison, compare
from gauntlet.arrays import Images, Tensor
from gauntlet.autoencoders.attacker import mean_squared_error
from gauntlet.autoencoders.funn import _run_epoch
from gauntlet.autoencoders.game import Game, Rules
from gauntlet.autoencoders.layers import CODE
from gauntlet.autoencoders.training import reconstruction_loss
from gauntlet.catalogue.autoencoders import Autoencoder
from gauntlet.catalogue.trainings import Training
from gauntlet.config.training import AutoencoderConfig
from gauntlet.training.keras_loops import fit
from gauntlet.training.runtime import start_from

EPOCHS = 2
WIDTHS = (784, 504, 28, 28, 504, 784)

Gradients = Callable[[Tensor, Tensor], list[Tensor]]
"""`(images, codes) -> gradients`, one per weight."""


def run() -> Iterator[Comparison]:
    """Compare on the first paper's autoencoder with 60,000 images."""
    start_from(0)
    training = AutoencoderConfig(epochs=EPOCHS).autoencoder()
    images = np.random.default_rng(0).random((60_000, 28, 28, 1), np.float32)
    batch = training.training_arguments["batch_size"]
    ours, theirs = (_compiled(training) for _ in range(2))
    work = partial(
        fit,
        ours,
        images,
        images,
        lambda *_: None,
        epochs=EPOCHS,
        batch_size=batch,
        validation_size=0,
        seed=0,
    )
    yield compare(
        "training: cost over plain Keras fit",
        work,
        lambda: theirs.fit(images, images, epochs=EPOCHS, batch_size=batch, verbose=0),
        wanted="<= 1.02",
    )
    yield compare(
        "training: cost over its bare matrix products",
        work,
        lambda: _matrix_products(batch, EPOCHS * -(-len(images) // batch)),
        wanted="",
        rounds=3,
    )
    yield _funn(images[:2048])


def _funn(images: Images) -> Comparison:
    """Compare an epoch of FUNN's second phase with the two gradients per batch that it needs.

    They cannot be one gradient: the defender learns from the attacker that has just been updated.
    """
    training = AutoencoderConfig(autoencoder="funn").autoencoder()
    given = training.training_arguments
    rules = Rules(**{field.name: given[field.name] for field in fields(Rules)})
    game = Game(training, images.shape[1:], rules)
    step, size, batch = game.step(images), len(images), given["batch_size"]
    width = training.arguments["features"] + rules.attacker_noise
    codes = np.random.default_rng(0).random((size, width), np.float32)
    by_attacker, by_encoder = _bare_gradients(game, rules.gamma)

    def bare() -> None:
        for i in range(0, size, batch):
            x, code = images[i : i + batch], codes[i : i + batch]
            by_attacker(x, code)
            by_encoder(x, code)

    return compare(
        "FUNN, second phase: cost over its bare gradients",
        lambda: _run_epoch(step, size, batch, seed=0, epoch=1),
        bare,
        wanted="<= 1.10",
    )


def _bare_gradients(game: Game, gamma: float) -> tuple[Gradients, Gradients]:
    """Return the gradient of the attacker's generator, and that of the defender's encoder."""
    encoder = keras.Model(game.defender.input, game.defender.get_layer(CODE).output)

    @tf.function
    def by_attacker(x: Tensor, code: Tensor) -> list[Tensor]:
        with tf.GradientTape() as tape:
            attacked = game.attacker.generator(code)
            error = mean_squared_error(x, game.defender(attacked))
            loss = mean_squared_error(x, attacked) + gamma * game.hinge(error)
        return tape.gradient(loss, game.attacker.generator.trainable_weights)

    @tf.function
    def by_encoder(x: Tensor, code: Tensor) -> list[Tensor]:
        attacked = game.attacker.generator(code)
        with tf.GradientTape() as tape:
            loss = mean_squared_error(x, game.defender(attacked))
        return tape.gradient(loss, encoder.trainable_weights)

    return by_attacker, by_encoder


def _compiled(training: Training[Autoencoder]) -> keras.Model:
    model = training.create((28, 28, 1), training.seed)
    given = training.training_arguments
    loss = reconstruction_loss(given["loss"])
    model.compile(keras.optimizers.Adam(given["learning_rate"]), loss)
    return model


def _matrix_products(batch: int, steps: int) -> None:
    """Do the products of the forward and the backward pass: three per layer, two for the first."""
    for _ in range(steps):
        for i, (n_in, n_out) in enumerate(pairwise(WIDTHS)):
            x, w, g = (tf.ones(shape) for shape in ((batch, n_in), (n_in, n_out), (batch, n_out)))
            tf.matmul(x, w)
            tf.matmul(x, g, transpose_a=True)
            if i:
                tf.matmul(g, w, transpose_b=True)
