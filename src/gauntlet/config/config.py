"""A config: flat parameters, checked and resolved, that remembers which of them were given."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import ClassVar, Self

from pydantic import ValidationError

from gauntlet.catalogue.components import without_duplicates
from gauntlet.catalogue.parameters import AUTO, PRESET, REQUIRED, Json, Parameter, Value, Values
from gauntlet.errors import UsageError, unknown_name


class Config(ABC):
    """What an entry point is asked for; frozen.

    A subclass lists its parameters and writes properties that hand its parts to whoever needs them.

    Attributes:
        entry_point: whose config it is, for errors.
        values: name of each parameter -> value, in order; presets and `auto` are resolved.
        given: names of those that were given, not filled in.
    """

    entry_point: ClassVar[str]
    given: frozenset[str]
    values: Values
    more_help: ClassVar[str] = ""
    """What stands below `--help`."""

    def __init__(self, **given: Value) -> None:
        """Check and resolve.

        Raises:
            UsageError: an unknown name, a wrong type, a value out of range, or values that do not
                go together; one line.
        """
        try:
            checked = self._checked({**given, **self.fixed_values(given)})
            object.__setattr__(self, "given", frozenset(checked))
            object.__setattr__(self, "values", MappingProxyType(self.resolved(checked)))
            self.check()
        except ValueError as error:
            raise _sentence(error) from None

    @classmethod
    @abstractmethod
    def declare(cls) -> Iterable[Parameter]:
        """Return the parameters, in the order of `--help`."""

    @classmethod
    def preset_values(cls, values: Values) -> Values:  # noqa: ARG003
        """Return what the preset says, given those values that are known: here nothing."""
        return {}

    @classmethod
    def fixed_values(cls, values: Values) -> Values:  # noqa: ARG003
        """Return what the given values leave no choice about: here nothing."""
        return {}

    def check(self) -> None:  # noqa: B027 -- a hook; few configs need it
        """Check what concerns several parameters; here nothing.

        Raises:
            ValueError: they do not go together.
        """

    @classmethod
    @cache
    def parameters(cls) -> Mapping[str, Parameter]:
        """Return the parameters by name."""
        return without_duplicates(cls.declare())

    @classmethod
    def resolved(cls, given: Values) -> dict[str, Value]:
        """Return the value of every parameter, from those that were given and checked."""
        preset = cls.preset_values(given)
        values = {}
        for name, parameter in cls.parameters().items():
            default = preset[name] if parameter.default == PRESET else parameter.default
            if name not in given and default is REQUIRED:
                raise cls._error(name, "expected a value, for there is no default", "none")
            values[name] = given.get(name, default)
        for name, parameter in cls.parameters().items():
            if parameter.auto and values[name] == AUTO:
                values[name] = cls._valid(parameter, parameter.auto(values))
        return values

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a config is frozen: {name} cannot be set")

    def __getitem__(self, name: str) -> Value:
        """Return the value of a parameter."""
        return self.values[name]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.values == self.values

    def __hash__(self) -> int:
        return hash(tuple(self.values.items()))

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self.as_json(self.given).items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def given_among(self, names: Iterable[str]) -> dict[str, Value]:
        """Return those of these parameters that were given."""
        return {name: self.values[name] for name in names if name in self.given}

    def replace(self, **changes: Value) -> Self:
        """Return the config of what was given, with changes."""
        return type(self)(**{**self.given_among(self.values), **changes})

    def as_json(self, names: Iterable[str] | None = None) -> Json:
        """Return values as JSON, without secrets: those of these parameters, or all."""
        wanted = set(self.values if names is None else names)
        return {
            name: parameter.adapter.dump_python(self.values[name], mode="json")
            for name, parameter in self.parameters().items()
            if name in wanted
        }

    @property
    def decisive(self) -> frozenset[str]:
        """Parameters that change something when they are given, though it be their default."""
        return frozenset()

    @classmethod
    def _checked(cls, given: Values) -> dict[str, Value]:
        checked = {}
        for name, value in given.items():
            if name not in cls.parameters():
                raise UsageError(
                    unknown_name(f"{cls.entry_point} parameter", name, cls.parameters())
                )
            parameter = cls.parameters()[name]
            if value == PRESET == parameter.default or (value == AUTO and parameter.auto):
                continue  # as if it were not given
            checked[name] = cls._valid(parameter, value)
        return checked

    @classmethod
    def _valid(cls, parameter: Parameter, value: Value) -> Value:
        """Return a value as the parameter's type reads it."""
        try:
            return parameter.adapter.validate_python(value)
        except ValidationError as error:
            name = parameter.name
            raise cls._error(name, *explained(name, error)) from None

    @classmethod
    def _error(cls, name: str, message: str, received: str) -> UsageError:
        return UsageError(
            f"--{name}: {message}; received {received}. "
            f"See `python -m gauntlet {cls.entry_point} --help`."
        )


def _sentence(error: ValueError) -> UsageError:
    """Return what is wrong with several parameters, which the text names itself."""
    return UsageError(str(error).rstrip(".") + ".")


def explained(name: str, invalid: ValidationError) -> tuple[str, str]:
    """Return what was expected of a parameter's value, and what was received."""
    error = invalid.errors()[0]
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    if error["type"] == "literal_error":
        valid = re.findall(r"'(.*?)'", error["ctx"]["expected"])
        message = unknown_name(name, str(error["input"]), valid).rstrip(".")
    message = message.replace("Input should be", "expected").split(", unable to parse")[0]
    return message, repr(error["input"])
