"""What a reproduction trains and attacks: networks, and the parts of what is done to each."""

from __future__ import annotations

from typing import Literal, NamedTuple

from gauntlet.catalogue.parameters import AUTO, Value
from gauntlet.config.attack import AttackConfig
from gauntlet.config.data import RunConfig, data_parameters
from gauntlet.config.networks import NetworksConfig

Attacked = int | Literal["all"]
"""How many of the first test images."""


class Part(NamedTuple):
    """Some attacks on one network.

    Attributes:
        name: what tells it from the network's other parts: `dense`, `steps 50`, ...
        config: attacks, classifier and defences.
        images: attack the first so many test images.
    """

    name: str
    config: AttackConfig
    images: Attacked = "all"


class Network(NamedTuple):
    """One autoencoder of one seed, and what is done to it.

    Attributes:
        name: as claims call it.
        config: says how the autoencoder is trained.
        parts: none: it is trained, and nothing else.
    """

    name: str
    config: NetworksConfig
    parts: tuple[Part, ...]

    @property
    def seed(self) -> int:
        """Root of all its random numbers."""
        return self.config.seed


def network(name: str, *parts: Part) -> Network:
    """Return the network that parts attack: all of them put the same autoencoder in front."""
    return Network(name, parts[0].config, parts)


def shared(config: RunConfig) -> dict[str, Value]:
    """Return the data of a reproduction, and its seed."""
    return {p.name: config[p.name] for p in data_parameters()}


def attack_config(reproduction: RunConfig, **own: Value) -> AttackConfig:
    """Return an attack's config on the data of a reproduction; `auto` leaves a parameter out.

    Raises:
        UsageError: the values do not go together.
    """
    given = {k: v for k, v in (shared(reproduction) | own).items() if v != AUTO}
    return AttackConfig(**given)
