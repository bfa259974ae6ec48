"""What a component that is trained says beside its network: who trains it, and how by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from gauntlet.catalogue.components import Chosen, Component, load, module_of
from gauntlet.catalogue.parameters import PRESET, Json, Parameter, Value, Values, integer, real

EPOCHS_TYPE = integer(1, 100_000)
BATCH_SIZE_TYPE = integer(1, 1_000_000)
RATE_TYPE = real(above=0, at_most=10)

EPOCHS = Parameter(
    "epochs", EPOCHS_TYPE, PRESET, "passes over the training images; funn: both phases"
)
BATCH_SIZE = Parameter("batch_size", BATCH_SIZE_TYPE, PRESET, "images per gradient step")
LEARNING_RATE = Parameter(
    "learning_rate", RATE_TYPE, PRESET, "Adam's learning rate; funn has four of its own"
)
VALIDATION_SIZE = Parameter(
    "validation_size",
    integer(0),
    PRESET,
    "last N training images held out: val/loss, thresholds of magnet",
)


def _not_known(values: Values) -> tuple[str, ...]:
    del values
    return ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Trainable(Component):
    """A component that is a trained network; its code builds the untrained one.

    Attributes:
        trainer: `module:function` that trains it and returns a `gauntlet.training.Outcome`.
        examiner: `module:function` that measures it on test images.
        training: argument of the trainer -> parameter.
        training_fixed: arguments of the trainer that this entry fixes.
        seeded: its weights depend on the seed.
        layers: modules that register classes of Keras's which a stored network is made of.
        nonlinear: its activations, and what else in it is not affine, given the parameters' values,
            as far as that is known before it is built.
    """

    trainer: str
    examiner: str
    seeded: bool = True
    layers: tuple[str, ...] = ()
    training: Mapping[str, Parameter] = field(default_factory=dict)
    training_fixed: Values = field(default_factory=dict)
    nonlinear: Callable[[Values], tuple[str, ...]] = _not_known

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """Every parameter that its network or its training reads, each once."""
        return tuple(dict.fromkeys([*self.training.values(), *self.parameters.values()]))

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules whose source, with what they import, trains it."""
        return (module_of(self.code), module_of(self.trainer))


T = TypeVar("T", bound=Trainable, covariant=True)


@dataclass(frozen=True)
class Training(Chosen[T], Generic[T]):
    """A network and how it is trained: all that decides its weights, but the data.

    Attributes:
        entry: the component.
        values: name of each parameter that it reads -> value.
        seed: root of its random numbers.
    """

    seed: int

    @property
    def training_arguments(self) -> dict[str, Value]:
        """Argument of the trainer -> value."""
        entry = self.entry
        given = {argument: self.values[p.name] for argument, p in entry.training.items()}
        return {**entry.training_fixed, **given}

    @property
    def settings(self) -> Json:
        """What decides the weights, as JSON."""
        seed = {"seed": self.seed} if self.entry.seeded else {}
        trainer = {f"trainer of {self.name}": self.entry.trainer}
        return {**super().settings, **self.entry.training_fixed, **trainer, **seed}

    @property
    def nonlinear(self) -> tuple[str, ...]:
        """What in the network is known not to be affine."""
        return self.entry.nonlinear(self.values)

    @property
    def reports(self) -> int:
        """How often the training reports, once per epoch or iteration."""
        return int(self.training_arguments["epochs"])

    @property
    def held_out(self) -> int:
        """How many of the last training images it does not learn from."""
        return int(self.training_arguments["validation_size"])

    @property
    def advice(self) -> str:
        """What the user can do if it diverges; empty: nobody can change its rate."""
        rate = self.entry.training.get("learning_rate")
        if rate is None:
            return ""
        bounded = "pre_output_activation" in self.values
        return f"Lower --{rate.name}{' or choose a bounded --pre_output_activation' * bounded}."

    def run(self, *arguments: Any, **more: Any) -> Any:
        """Import the trainer and call it with this training, these arguments and its own."""
        return load(self.entry.trainer)(self, *arguments, **more, **self.training_arguments)
