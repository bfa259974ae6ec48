"""What every entry point shares: presets, lists, the seed and the data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    field_validator,
    model_validator,
)

from gauntlet.errors import unknown_name

PRESET = "preset"
"""A parameter with this value takes what its preset says."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"dataset": "mnist", "train_size": "all", "test_size": "all"},
    # scikit-learn's digits: no network, a whole attack run in seconds.
    "smoke": {"dataset": "digits", "train_size": 1000, "test_size": 200},
}

PLAIN_DATASETS = ("mnist", "fashion_mnist", "digits")
PLAIN_CLASSES = 10
GREY = 255.0

REJECTED = -1
"""Stands for a class where a defence rejects the image."""


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",")]


CommaSeparated = BeforeValidator(_split)
Names = Annotated[tuple[str, ...], CommaSeparated, Field(min_length=1)]
Size = Annotated[int, Field(ge=1)] | Literal["all"]


def check_names(what: str, valid: tuple[str, ...]) -> Any:
    """Return a validator that names the nearest valid name of each unknown one."""

    def check(names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in valid:
                raise ValueError(unknown_name(what, name, valid))
        if len(set(names)) < len(names):
            raise ValueError("expected each name once")
        return names

    return check


class EntryPointConfig(BaseModel):
    """What the command line, MLproject and tracking ask of any entry point's config.

    Attributes:
        from_preset: parameters whose default is what the preset says.
        more_help: stands below `--help`.
        example: a parameter and a value of it, to try the entry point with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    from_preset: ClassVar[frozenset[str]] = frozenset()
    more_help: ClassVar[str] = ""
    example: ClassVar[tuple[str, str]] = ("", "")

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """Return those of the parameters that were given, not filled from a preset or a default."""
        return self.model_dump(include=set(names), exclude_unset=True)

    @property
    def decisive(self) -> frozenset[str]:
        """Parameters that change something when they are given, though it be their default."""
        return frozenset()

    @classmethod
    def preset_values(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG003
        """Return what the preset says, given the other (unchecked) values: here nothing."""
        return {}


class RunConfig(EntryPointConfig):
    """The part of a config that every entry point has which computes on a data set."""

    from_preset: ClassVar[frozenset[str]] = frozenset(PRESETS["paper"])
    example: ClassVar[tuple[str, str]] = ("preset", "smoke")

    preset: Literal["paper", "smoke"] = Field(
        "paper", description="paper: full size as published; smoke: small data, under a minute"
    )
    dataset: str = Field(description="mnist, fashion_mnist, digits or npz:PATH")
    train_size: Size = Field(description="use the first N training images, or all")
    test_size: Size = Field(description="use the first N test images, or all")
    seed: int = Field(0, ge=0, lt=2**63, description="root of every random number of the run")

    @model_validator(mode="wrap")
    @classmethod
    def _fill_from_preset(cls, values: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        """Fill what was not given from the preset; `model_fields_set` stays what was given."""
        values = values | cls.fixed_values(values)
        filled = dict(cls.preset_values(values))
        given = {k: v for k, v in values.items() if k not in filled or v != PRESET}
        config = build(filled | given)
        config.__pydantic_fields_set__.intersection_update(given)
        return config

    @classmethod
    def fixed_values(cls, values: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """Return what other (unchecked) values leave no choice about: here nothing."""
        return {}

    @classmethod
    def preset_values(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the preset says, given the other (unchecked) values."""
        return PRESETS.get(values.get("preset", "paper"), {})

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, name: str) -> str:
        if name in PLAIN_DATASETS or (name.startswith("npz:") and len(name) > len("npz:")):
            return name
        raise ValueError(unknown_name("data set", name, (*PLAIN_DATASETS, "npz:PATH")))


def unit_interval(values: tuple[float, ...]) -> tuple[float, ...]:
    """Check budgets: finite, in [0, 1], strictly ascending."""
    if any(math.isnan(v) or not 0 <= v <= 1 for v in values):
        raise ValueError("expected values in [0, 1]")
    return _ascending(values)


def grey_levels(values: tuple[float, ...]) -> tuple[float, ...]:
    """Check budgets in grey levels: finite, in [0, 255], strictly ascending."""
    if any(math.isnan(v) or not 0 <= v <= GREY for v in values):
        raise ValueError(f"expected grey levels in [0, {GREY:g}]")
    return _ascending(values, GREY)


def metric_step(epsilon: float) -> int:
    """Return the step under which a budget's metrics are logged; MLflow's steps are integers."""
    return round(1000 * epsilon)


def _ascending(values: tuple[float, ...], unit: float = 1.0) -> tuple[float, ...]:
    steps = [metric_step(value / unit) for value in values]
    if steps != sorted(set(steps)):
        raise ValueError("expected ascending values that differ by a thousandth of the range")
    return values


def to_string(value: object) -> str:
    """Write a config value as the command line reads it: lists comma separated."""
    if isinstance(value, list | tuple):
        return ",".join(to_string(v) for v in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value)
