"""The two players of FUNN and how each of them learns; see `gauntlet.autoencoders.funn`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import keras
import tensorflow as tf

from gauntlet.arrays import Floats, Images, Tensor, Variable
from gauntlet.autoencoders.attacker import (
    attacker_metrics,
    build_attacker,
    defender_metrics,
    mean_squared_error,
)
from gauntlet.autoencoders.layers import CODE
from gauntlet.catalogue.autoencoders import Autoencoder
from gauntlet.catalogue.trainings import Training
from gauntlet.training.keras_loops import predict

More = TypeVar("More")

Metrics: TypeAlias = dict[str, Tensor]

Step: TypeAlias = Callable[[Tensor, Tensor], Metrics]
"""One step of both players: `(rows, seed) -> metrics of the batch`.

Rows `(k,)` are the indices of the batch's images; the seed `(2,)` is of its noise.
"""


@dataclass(frozen=True)
class Rules:
    """The game's constants.

    Attributes:
        attacker_noise: uniform numbers beside the attacker's features.
        gamma: weight of the attacker's constraint (equation 8).
        beta: error per pixel that the attacker must reach.
        constraint: `at_least` or `as_printed`, see `Game.hinge`.
        defender_init_rate, attacker_init_rate: Adam's learning rates in the first phase.
        defender_rate, attacker_rate: those in the second phase.
    """

    attacker_noise: int
    gamma: float
    beta: float
    constraint: str
    defender_init_rate: float
    attacker_init_rate: float
    defender_rate: float
    attacker_rate: float


class Game:
    """Both players and the optimizers of both phases (section 3.2).

    The first phase trains everything. In the second phase the attacker's encoder and the defender's
    decoder are frozen; the four optimizers say which variables each of them updates.
    """

    def __init__(
        self, training: Training[Autoencoder], image_shape: tuple[int, ...], rules: Rules
    ) -> None:
        self.defender = training.create(image_shape, training.seed)
        self.attacker = build_attacker(
            image_shape, **training.arguments, noise=rules.attacker_noise
        )
        self._rules = rules
        everything = [w for part in self.attacker for w in part.trainable_variables]
        encoder = keras.Model(self.defender.input, self.defender.get_layer(CODE).output)
        self._defend_first = _Descent(rules.defender_init_rate, self.defender.trainable_variables)
        self._attack_first = _Descent(rules.attacker_init_rate, everything)
        self._defend = _Descent(rules.defender_rate, encoder.trainable_variables)
        self._attack = _Descent(rules.attacker_rate, self.attacker.generator.trainable_variables)

    @property
    def variables(self) -> list[Variable]:
        """Everything that training changes, in an order that never changes."""
        optimizers = (self._defend_first, self._attack_first, self._defend, self._attack)
        owners = (self.defender, *self.attacker, *(descent.optimizer for descent in optimizers))
        return [variable for owner in owners for variable in owner.variables]

    def initial_step(self, images: Images) -> Step:
        """Compile a step of the first phase: each player learns to reproduce x, unconstrained."""

        def step(rows: Tensor, seed: Tensor, data: Tensor) -> Metrics:
            x = tf.gather(data, rows)
            noise, _ = self._draw(rows, seed)

            def reconstruct() -> tuple[Tensor, Tensor]:
                loss = mean_squared_error(x, self.defender(x))
                return loss, loss

            def imitate() -> tuple[Tensor, Tensor]:
                code = tf.concat([self.attacker.encoder(x), noise], axis=1)
                attacked = self.attacker.generator(code)
                return mean_squared_error(x, attacked), attacked

            reconstruction = self._defend_first(reconstruct)
            return {
                "reconstruction": reconstruction,
                **attacker_metrics(x, self._attack_first(imitate)),
            }

        return _compiled(step, images)

    def step(self, images: Images) -> Step:
        """Compile a step of the second phase: the attacker's turn, then the defender's.

        The attacker's encoder is frozen, so its features of each image are computed once, here.
        """

        def step(rows: Tensor, seed: Tensor, data: Tensor, features: Tensor) -> Metrics:
            x = tf.gather(data, rows)
            # Two inputs of the generator with different noise, one for each turn.
            first, second = (
                tf.concat([tf.gather(features, rows), noise], axis=1)
                for noise in self._draw(rows, seed)
            )

            # The attacker's turn: a small change that the defender fails to undo (equation 8).
            def attack() -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
                attacked = self.attacker.generator(first)
                restored = self.defender(attacked)
                hinge = self.hinge(mean_squared_error(x, restored))
                loss = mean_squared_error(x, attacked) + self._rules.gamma * hinge
                return loss, (attacked, restored, hinge)

            attacked, restored, hinge = self._attack(attack)
            # The defender's turn: restore x from what the updated attacker makes of it.
            shown = self.attacker.generator(second)
            self._defend(lambda: (mean_squared_error(x, self.defender(shown)), ()))
            active = {"hinge_active": tf.cast(hinge > 0, tf.float32)}
            return {**defender_metrics(x, restored), **attacker_metrics(x, attacked), **active}

        return _compiled(step, images, predict(self.attacker.encoder, images))

    def hinge(self, error: Tensor) -> Tensor:
        """Return by how much the defender's mean error E violates the constraint; 0: it holds.

        The constraint `at_least` asks for E >= beta, as equation 5 and the paper's text do.
        `as_printed` is equation 8 as printed, max(E - beta, 0). That keeps E below beta, and then
        the best attack is to change nothing.
        """
        beta = self._rules.beta
        return tf.nn.relu(beta - error if self._rules.constraint == "at_least" else error - beta)

    def _draw(self, rows: Tensor, seed: Tensor) -> list[Tensor]:
        """Return two independent draws of u for a batch, `(k, m)` each."""
        shape = (2, tf.shape(rows)[0], self._rules.attacker_noise)
        draws: list[Tensor] = tf.unstack(tf.random.stateless_uniform(shape, seed))
        return draws


class _Descent:
    """Adam on some of the variables; no gradient of the others is computed."""

    def __init__(self, rate: float, variables: Sequence[Variable]) -> None:
        self.optimizer = keras.optimizers.Adam(rate)
        self.optimizer.build(variables)
        self._variables = variables

    def __call__(self, objective: Callable[[], tuple[Tensor, More]]) -> More:
        """Take a step down an objective that returns `(loss, more)`; return its `more`."""
        values = [variable.value for variable in self._variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            loss, more = objective()
        self.optimizer.apply(tape.gradient(loss, values), self._variables)
        return more


def _compiled(step: Callable[..., Metrics], *arrays: Floats) -> Step:
    """Compile a step that takes rows, a seed and these arrays, and bind the arrays to it.

    They are arguments, not captured variables, because TensorFlow never frees a traced function nor
    what it has captured.
    """
    rows, seed = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((2,), tf.int32)
    data = [tf.constant(array) for array in arrays]
    specs = [tf.TensorSpec.from_tensor(one) for one in data]
    compiled = tf.function(step, input_signature=[rows, seed, *specs], autograph=False)
    return lambda rows, seed: compiled(rows, seed, *data)
