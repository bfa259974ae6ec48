"""What of a study's parameters some trial reads: what is given beside them is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.autoencoders import AUTOENCODERS
from gauntlet.catalogue.parameters import AUTO, PRESET, Parameter, Value, to_string
from gauntlet.config.attack import AttackConfig
from gauntlet.config.attack_parameters import certificate_parameters
from gauntlet.config.config import explained
from gauntlet.config.training import AutoencoderConfig
from tuning.spaces import Choice, Dimension, Space


@dataclass(frozen=True)
class Searched:
    """What a study searches.

    Attributes:
        study: its name.
        dimensions: what its trials draw.
        points: whether it tries points of its own and draws nothing.
        attacks_networks: whether a trial attacks what it trains.
    """

    study: str
    dimensions: Space
    points: bool
    attacks_networks: bool


def check_given(config: AttackConfig, searched: Searched) -> None:
    """Check that some trial reads what was given, and can be given what it draws.

    Raises:
        ValueError: a dimension that no trial draws or a value that its parameter has not; a
            parameter that this study does not read.
    """
    for name in searched.dimensions:
        if _is_given(config, name):
            raise ValueError(
                f"--{name}: study={searched.study} searches it; fix it with --space "
                f"'{name}=VALUE', or choose a range there"
            )
    for word in config["space"].split():
        _check_dimension(config, searched, word.partition("=")[0])
    for name, reason in _unread(config, searched):
        if _is_given(config, name):
            received = to_string(config[name])
            raise ValueError(f"--{name}: {reason}: leave it out; received {received}")


def _is_given(config: AttackConfig, name: str) -> bool:
    known = {"preset": config.preset, "autoencoder": config["autoencoder"]}
    default = config.parameters()[name].default
    if default == PRESET:
        default = config.preset_values(known)[name]
    return bool(default != AUTO and config[name] != default)


def _check_dimension(config: AttackConfig, searched: Searched, name: str) -> None:
    dimensions = searched.dimensions
    if not _is_read(config, dimensions, name):
        read = ", ".join(other for other in dimensions if _is_read(config, dimensions, other))
        raise ValueError(
            f"--space: {_described(config, searched)} does not search {name}; it searches {read}"
        )
    for value in _ends(dimensions[name]):
        _check_value(config.parameters()[name], value)


def _is_read(config: AttackConfig, dimensions: Space, name: str) -> bool:
    if name not in dimensions:
        return False
    kinds = _values(dimensions.get("autoencoder"), config["autoencoder"])
    attacks = _values(dimensions.get("attacks"), "")
    by_attack = name == "attacks" or any(read_by_attack(name, a) for a in attacks)
    return by_attack and any(read_by_kind(name, kind) for kind in kinds)


def read_by_attack(name: str, attack: str) -> bool:
    """Tell whether an attack reads a parameter; of an unknown one, yes."""
    return attack not in ATTACKS or name in {p.name for p in ATTACKS[attack].all_parameters}


def read_by_kind(name: str, kind: str) -> bool:
    """Tell whether a kind of autoencoder reads a parameter; of an unknown one, yes."""
    of_kinds = {p.name for p in AUTOENCODERS.parameters}
    if kind not in AUTOENCODERS or name not in of_kinds:
        return True
    return name in {p.name for p in AUTOENCODERS[kind].all_parameters}


def _values(dimension: Dimension | None, otherwise: str) -> tuple[str, ...]:
    return dimension.values if isinstance(dimension, Choice) else (otherwise,)


def _ends(dimension: Dimension) -> tuple[Value, ...]:
    if isinstance(dimension, Choice):
        return dimension.values
    ends = dimension.low, dimension.high
    return tuple(map(int, ends)) if dimension.whole else ends


def _check_value(parameter: Parameter, value: Value) -> None:
    try:
        parameter.adapter.validate_python(value)
    except ValidationError as error:
        expected, received = explained(parameter.name, error)
        raise ValueError(f"--space: {parameter.name}: {expected}; received {received}") from None


def _unread(config: AttackConfig, searched: Searched) -> Iterator[tuple[str, str]]:
    """Yield the parameters that nothing reads here, and why."""
    who = _described(config, searched)
    for parameter in certificate_parameters():
        yield parameter.name, "a study certifies nothing"
    if searched.points:
        yield "sampler", f"{who} tries all its points and draws none"
    if searched.study != "funn":
        yield "clean_floor", f"only study=funn asks for clean accuracy, and this is {who}"
    if not searched.attacks_networks:
        trained = AutoencoderConfig.parameters()
        attacking = (name for name in AttackConfig.parameters() if name not in trained)
        for name in ("attack_images", *attacking):
            yield name, f"{who} trains autoencoders and attacks none"


def _described(config: AttackConfig, searched: Searched) -> str:
    asked = config["objective"]
    objective = "" if asked == AUTO else f" objective={asked}"
    kind = f" autoencoder={config['autoencoder']}" if searched.study == "autoencoder" else ""
    return f"study={searched.study}{kind}{objective}"
