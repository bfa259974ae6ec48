"""What a reproduction trains and attacks: networks, and the parts of what is done to each."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from gauntlet.config.attack import AttackConfig
from gauntlet.config.base import RunConfig
from gauntlet.config.models import AutoencoderConfig
from gauntlet.errors import UsageError

Images = int | Literal["all"]


class Part(NamedTuple):
    """Some attacks on one network.

    Attributes:
        name: what tells it from the network's other parts: `dense`, `steps 50`, ...
        config: attacks, classifier and defences.
        images: attack the first so many test images.
    """

    name: str
    config: AttackConfig
    images: Images = "all"


class Network(NamedTuple):
    """One autoencoder of one seed, and what is done to it.

    Attributes:
        name: as claims call it.
        autoencoder: how it is trained.
        parts: none: it is trained, and nothing else.
    """

    name: str
    seed: int
    autoencoder: AutoencoderConfig
    parts: tuple[Part, ...]


def network(name: str, *parts: Part) -> Network:
    """Return the network that parts attack: all of them put the same autoencoder in front."""
    config = parts[0].config
    return Network(name, config.seed, config.autoencoder_config(), parts)


def attack_config(shared: RunConfig, **own: Any) -> AttackConfig:
    """Return an attack's config on the data of `shared`; `auto` leaves a parameter out.

    Raises:
        UsageError: the values do not go together.
    """
    data = shared.model_dump(include=set(RunConfig.model_fields))
    given = {k: v for k, v in (data | own).items() if v != "auto"}
    try:
        return AttackConfig(**given)
    except ValidationError as error:
        raise UsageError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
