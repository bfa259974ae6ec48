"""A parameter describes itself: flag, type and range, default, help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter

from gauntlet.errors import unknown_name

PRESET: Final = "preset"
"""As a default or a value: what `--preset` says."""

AUTO: Final = "auto"
"""As a default or a value: worked out from the other parameters."""

REQUIRED: Final = object()
"""As a default: there is none, the parameter must be given."""


Value: TypeAlias = Any
"""The value of a parameter: whatever its type says, which pydantic has checked."""

Values: TypeAlias = Mapping[str, Value]
"""Name of a parameter -> value."""

Json: TypeAlias = dict[str, Any]
"""What `json` writes: lists, texts and numbers by name."""

Annotation: TypeAlias = Any
"""A type as pydantic takes it; mypy has no type for types."""

TEXT: Annotation = Annotated[str, Field(min_length=1)]
"""The type of texts that are not empty."""


@dataclass(frozen=True, eq=False)
class Parameter:
    """One flag of the command line, one parameter of MLproject, one logged parameter.

    Attributes:
        name: the flag, without its hyphens.
        type: annotation that pydantic checks values against; strings are read as well.
        default: value of a parameter that is not given, or `PRESET`, `AUTO`, `REQUIRED`.
        help: one sentence; the default is shown beside it.
        auto: what `AUTO` stands for, given the other values; checked as if it were typed.
        when: `(name, value)`: the parameter is read only where that other one has this value.
        names_class: its value is a class of the data set.
        counts_classes: its value is a number of wrong classes, fewer than the data set has classes.
        secret: it may hold a password.
    """

    name: str
    type: Annotation
    default: Value
    help: str
    auto: Callable[[Values], Value] | None = None
    when: tuple[str, Value] | None = None
    names_class: bool = False
    counts_classes: bool = False
    secret: bool = False

    @cached_property
    def adapter(self) -> TypeAdapter[Value]:
        """Checks a value, or a string that stands for one, and writes it as JSON."""
        return TypeAdapter(self.type)

    def is_read(self, values: Values) -> bool:
        """Tell whether a component reads the parameter, given the values of all that are its own.

        One without that other parameter always reads it.
        """
        return self.when is None or values.get(self.when[0], self.when[1]) == self.when[1]


def integer(low: int, high: int | None = None) -> Annotation:
    """Return the type of whole numbers from `low` to `high`, both included."""
    return Annotated[int, Field(ge=low, le=high)]


def real(
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Annotation:
    """Return the type of finite numbers in a range."""
    return Annotated[float, Field(gt=above, ge=at_least, lt=below, le=at_most, allow_inf_nan=False)]


def one_of(names: Iterable[str]) -> Annotation:
    """Return the type of one of several names."""
    return Literal[tuple(names)]


def or_auto(wanted: Annotation) -> Annotation:
    """Return a type that also takes the word `auto`."""
    return wanted | Literal["auto"]


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",")]


def _split_or_empty(value: object) -> object:
    return () if value == "" else _split(value)


def list_of(
    item: Annotation,
    *checks: Callable[[Value], Value],
    least: int = 1,
    most: int | None = None,
) -> Annotation:
    """Return the type of comma-separated lists, as tuples.

    Args:
        item: type of an item.
        checks: each takes the tuple and returns it, or raises ValueError.
        least: how many items there must be.
        most: how many items there may be; None: any number.
    """
    split = BeforeValidator(_split if least else _split_or_empty)
    wanted: Annotation = Annotated[
        tuple[item, ...], split, Field(min_length=least, max_length=most)
    ]
    for check in checks:
        wanted = Annotated[wanted, AfterValidator(check)]
    return wanted


def names(
    what: str,
    valid: Iterable[str],
    *,
    shorthands: Mapping[str, tuple[str, ...]] | None = None,
    least: int = 1,
    most: int | None = None,
) -> Annotation:
    """Return the type of lists of names, each at most once; an unknown one names the nearest.

    Args:
        what: what a name stands for, for the error.
        valid: the names.
        shorthands: further names, each of which stands for several.
        least: how many names there must be.
        most: how many names there may be; None: any number.
    """
    short = shorthands or {}
    known = [*short, *valid]

    def check(given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if name not in known:
                raise ValueError(unknown_name(what, name, known))
        if len(set(given)) < len(given):
            raise ValueError("expected each name once")
        written = [n for name in given for n in short.get(name, (name,))]
        return tuple(dict.fromkeys(written)) if short else given

    return list_of(str, check, least=least, most=most)


def to_string(value: object) -> str:
    """Write a value as the command line reads it: lists comma separated."""
    if isinstance(value, list | tuple):
        return ",".join(to_string(v) for v in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value)
