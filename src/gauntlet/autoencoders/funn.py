"""FUNN (second paper, section 3): two autoencoders in a game that makes the features robust.

The attacker A changes an image as little as it can, while the defender's error in restoring it must
reach beta (equation 5); the defender D learns to restore what the attacker shows it. L is the mean
squared error per pixel, the only reading of "L2 loss" that fits a beta of 0.01.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from gauntlet.autoencoders.attacker import (
    Attacker,
    attack_metrics,
    build_attacker,
    defence_metrics,
    game_metrics,
    mean_squared_error,
)
from gauntlet.autoencoders.convolutional import build_convolutional
from gauntlet.autoencoders.layers import CODE
from gauntlet.config.models import AutoencoderConfig
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport, Progress, epoch_seed, predict, shuffled
from gauntlet.training.runtime import start_from

ADVICE = "Lower the four rates, --defender_init_rate to --attacker_rate."

Step = Callable[[Any, Any], dict[str, Any]]
"""One step of both players on images `(k,)` by index, with a seed `(2,)`: metrics of the batch."""


def train_funn(
    config: AutoencoderConfig,
    images: NDArray[np.float32],
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
) -> tuple[keras.Model, Attacker]:
    """Build and train both players; return the defender, an autoencoder, and the attacker.

    Args:
        config: of kind `funn`.
        images: `(n, height, width, channels)` in [0, 1]; the last `validation_size` are held out.
        report: called after every epoch of both phases, with means over batches.
        checkpoint: where the training is kept between epochs; none: nowhere.

    Raises:
        DivergenceError: a metric became NaN or infinite.
    """
    # As the convolutional autoencoder: the defender begins as its control, and sees its batches.
    seed = child_seed(config.seed, "autoencoder")
    start_from(seed)
    game = Game(config, images.shape[1:])
    progress = Progress(report, game.variables, checkpoint, ADVICE)
    done = progress.resume()
    cut, first = len(images) - config.validation_size, config.init_epochs + 1
    phases = (game.initial_step, range(1, first)), (game.step, range(first, config.epochs + 1))
    for compile_step, epochs in phases:
        if left := [epoch for epoch in epochs if epoch > done]:
            step = compile_step(images[:cut])
            for epoch in left:
                metrics = _run_epoch(step, cut, config.batch_size, seed, epoch)
                progress.end_epoch(metrics | dict(_validate(game, images[cut:], seed)))
    return game.defender, game.attacker


class Game:
    """Both players and the optimizers of both phases (section 3.2)."""

    def __init__(self, config: AutoencoderConfig, image_shape: tuple[int, ...]) -> None:
        self.defender = build_convolutional(config, image_shape)
        self.attacker = build_attacker(config, image_shape)
        self._config = config
        everything = [w for part in self.attacker for w in part.trainable_variables]
        encoder = keras.Model(self.defender.input, self.defender.get_layer(CODE).output)
        self._defend_first = _Descent(config.defender_init_rate, self.defender.trainable_variables)
        self._attack_first = _Descent(config.attacker_init_rate, everything)
        self._defend = _Descent(config.defender_rate, encoder.trainable_variables)
        self._attack = _Descent(config.attacker_rate, self.attacker.generator.trainable_variables)

    @property
    def variables(self) -> list[Any]:
        """Everything that training changes, in an order that never changes."""
        optimizers = (self._defend_first, self._attack_first, self._defend, self._attack)
        owners = (self.defender, *self.attacker, *(descent.optimizer for descent in optimizers))
        return [variable for owner in owners for variable in owner.variables]

    def initial_step(self, images: NDArray[np.float32]) -> Step:
        """Compile a step of the first phase: both learn to draw x, without a constraint."""

        def step(rows: Any, seed: Any, data: Any) -> dict[str, Any]:
            x = tf.gather(data, rows)
            noise, _ = self._draw(rows, seed)

            def reconstruct() -> tuple[Any, Any]:
                loss = mean_squared_error(x, self.defender(x))
                return loss, loss

            def imitate() -> tuple[Any, Any]:
                code = tf.concat([self.attacker.encoder(x), noise], axis=1)
                attacked = self.attacker.generator(code)
                return mean_squared_error(x, attacked), attacked

            reconstruction = self._defend_first(reconstruct)
            return {
                "reconstruction": reconstruction,
                **attack_metrics(x, self._attack_first(imitate)),
            }

        return _compiled(step, images)

    def step(self, images: NDArray[np.float32]) -> Step:
        """Compile a step of the second phase: attacker's generator, then defender's encoder.

        The attacker's encoder is frozen, so its features of each image are computed once.
        """

        def step(rows: Any, seed: Any, data: Any, features: Any) -> dict[str, Any]:
            x = tf.gather(data, rows)
            first, second = (
                tf.concat([tf.gather(features, rows), noise], axis=1)
                for noise in self._draw(rows, seed)
            )

            def attack() -> tuple[Any, Any]:
                attacked = self.attacker.generator(first)
                restored = self.defender(attacked)
                hinge = self.hinge(mean_squared_error(x, restored))
                loss = mean_squared_error(x, attacked) + self._config.gamma * hinge
                return loss, (attacked, restored, hinge)

            attacked, restored, hinge = self._attack(attack)
            shown = self.attacker.generator(second)
            self._defend(lambda: (mean_squared_error(x, self.defender(shown)), ()))
            active = {"hinge_active": tf.cast(hinge > 0, tf.float32)}
            return {**defence_metrics(x, restored), **attack_metrics(x, attacked), **active}

        return _compiled(step, images, predict(self.attacker.encoder, images))

    def hinge(self, error: Any) -> Any:
        """Return by how much the defender's mean error E violates the constraint.

        Equation 8 prints max(E - beta, 0), which keeps E below beta: then the identity is the best
        attack, against equation 5 and the text. `at_least` is what both of these mean.
        """
        beta = self._config.beta
        return tf.nn.relu(beta - error if self._config.constraint == "at_least" else error - beta)

    def _draw(self, rows: Any, seed: Any) -> Any:
        """Return two independent draws of u for a batch, `(n, m)` each."""
        shape = (2, tf.shape(rows)[0], self._config.attacker_noise)
        return tf.unstack(tf.random.stateless_uniform(shape, seed))


class _Descent:
    """Adam on some of the variables; nothing is differentiated by the others."""

    def __init__(self, rate: float, variables: Sequence[Any]) -> None:
        self.optimizer = keras.optimizers.Adam(rate)
        self.optimizer.build(variables)
        self._variables = variables

    def __call__(self, objective: Callable[[], tuple[Any, Any]]) -> Any:
        """Take a step down an objective that returns `(loss, more)`; return `more`."""
        values = [variable.value for variable in self._variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            loss, more = objective()
        self.optimizer.apply(tape.gradient(loss, values), self._variables)
        return more


def _compiled(step: Callable[..., dict[str, Any]], *arrays: NDArray[np.float32]) -> Step:
    """Compile a step that is called with rows, a seed and whole arrays.

    The arrays are arguments: TensorFlow keeps traced functions, and what they capture, for good.
    """
    rows, seed = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((2,), tf.int32)
    data = [tf.constant(array) for array in arrays]
    specs = [tf.TensorSpec.from_tensor(one) for one in data]
    compiled = tf.function(step, input_signature=[rows, seed, *specs], autograph=False)
    return lambda rows, seed: compiled(rows, seed, *data)


def _run_epoch(step: Step, n: int, batch_size: int, seed: int, epoch: int) -> dict[str, float]:
    """Take a step on each batch; return the means of their metrics over batches."""
    order = shuffled(n, epoch_seed(seed, epoch))
    noise = child_seed(seed, "noise", str(epoch))
    # Not one compiled loop: between two steps, Python can answer Ctrl-C.
    batches = [
        step(order[first : first + batch_size], (noise, first)) for first in range(0, n, batch_size)
    ]
    return {
        f"train/{name}": float(np.mean([batch[name] for batch in batches], dtype=np.float64))
        for name in batches[0]
    }


def _validate(game: Game, images: NDArray[np.float32], seed: int) -> Iterator[tuple[str, float]]:
    if len(images):
        attacked = game.attacker.attack(images, child_seed(seed, "validation"))
        error = mean_squared_error(images, predict(game.defender, images))
        yield "val/reconstruction", float(error)
        yield from game_metrics("val", images, attacked, predict(game.defender, attacked))
