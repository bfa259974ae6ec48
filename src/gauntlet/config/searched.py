"""What of a study's parameters some trial reads: what is given beside them is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import TypeAdapter, ValidationError

from gauntlet.config.attack import AUTO, AttackConfig
from gauntlet.config.base import to_string
from gauntlet.config.models import AutoencoderConfig
from gauntlet.config.published import unread_by
from gauntlet.config.spaces import Choice, Dimension
from gauntlet.config.tables import READ_BY

if TYPE_CHECKING:
    from gauntlet.config.tune import TuneConfig


def check_given(config: TuneConfig) -> None:
    """Check that some trial reads what was given, and can be given what it draws.

    Raises:
        ValueError: a dimension that no trial draws or a value that its parameter has not; a
            parameter that this study does not read.
    """
    for name in config.dimensions:
        if _is_given(config, name):
            raise ValueError(
                f"--{name}: study={config.study} searches it; fix it with --space "
                f"'{name}=VALUE', or choose a range there"
            )
    for word in config.space.split():
        _check_dimension(config, word.partition("=")[0])
    for name, reason in _unread(config):
        if _is_given(config, name):
            received = to_string(getattr(config, name))
            raise ValueError(f"--{name}: {reason}: leave it out; received {received}")


def _is_given(config: TuneConfig, name: str) -> bool:
    known = {"preset": config.preset, "autoencoder": config.autoencoder}
    default = config.preset_values(known).get(name, type(config).model_fields[name].default)
    return bool(default != AUTO and getattr(config, name) != default)


def _check_dimension(config: TuneConfig, name: str) -> None:
    if not _is_read(config, name):
        read = ", ".join(other for other in config.dimensions if _is_read(config, other))
        raise ValueError(
            f"--space: {_described(config)} does not search {name}; it searches {read}"
        )
    for value in _ends(config.dimensions[name]):
        _check_value(name, value)


def _is_read(config: TuneConfig, name: str) -> bool:
    dimensions = config.dimensions
    if name not in dimensions:
        return False
    kinds = _values(dimensions.get("autoencoder"), config.autoencoder)
    attacks = _values(dimensions.get("attacks"), "")
    by_attack = name == "attacks" or any(name in READ_BY.get(a, (name,)) for a in attacks)
    return by_attack and any(name not in unread_by(kind) for kind in kinds)


def _values(dimension: Dimension | None, otherwise: str) -> tuple[str, ...]:
    return dimension.values if isinstance(dimension, Choice) else (otherwise,)


def _ends(dimension: Dimension) -> tuple[Any, ...]:
    if isinstance(dimension, Choice):
        return dimension.values
    ends = dimension.low, dimension.high
    return tuple(map(int, ends)) if dimension.whole else ends


def _check_value(name: str, value: Any) -> None:
    field = AttackConfig.model_fields[name]
    checked: Any = Annotated[field.annotation, field]
    try:
        TypeAdapter(checked).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ").rstrip(".")
        reason = reason.replace("Input should be", "expected")
        raise ValueError(f"--space: {name}: {reason}; received {value!r}") from None


def _unread(config: TuneConfig) -> Iterator[tuple[str, str]]:
    """Yield the parameters that nothing reads here, and why."""
    who = _described(config)
    if config.points:
        yield "sampler", f"{who} tries all its points and draws none"
    if config.study != "funn":
        yield "clean_floor", f"only study=funn asks for clean accuracy, and this is {who}"
    if config.entry_point == "autoencoder":
        attacking = [
            n for n in AttackConfig.model_fields if n not in AutoencoderConfig.model_fields
        ]
        for name in ("attack_images", *attacking):
            yield name, f"{who} trains autoencoders and attacks none"


def _described(config: TuneConfig) -> str:
    objective = "" if config.objective == "auto" else f" objective={config.objective}"
    kind = f" autoencoder={config.autoencoder}" if config.study == "autoencoder" else ""
    return f"study={config.study}{kind}{objective}"
