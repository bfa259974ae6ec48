"""The entry points, in flow order, and the way from strings to a config."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gauntlet.config.attack import AttackConfig
from gauntlet.config.base import PRESET, EntryPointConfig, to_string
from gauntlet.config.compare import CompareConfig
from gauntlet.config.models import AutoencoderConfig, ClassifierConfig
from gauntlet.config.reproduce import ReproduceConfig
from gauntlet.config.tune import TuneConfig
from gauntlet.errors import UsageError, unknown_name
from gauntlet.masking import mask_addresses

ENTRY_POINTS: Mapping[str, type[EntryPointConfig]] = {
    "autoencoder": AutoencoderConfig,
    "classifier": ClassifierConfig,
    "attack": AttackConfig,
    "main": AttackConfig,
    "reproduce": ReproduceConfig,
    "tune": TuneConfig,
    "compare": CompareConfig,
}


def parse(entry_point: str, values: Mapping[str, str]) -> EntryPointConfig:
    """Build the config of an entry point from strings.

    Raises:
        UsageError: unknown entry point or parameter, wrong type, out of range; one line that names
            the flag, what was expected and what was received.
    """
    if entry_point not in ENTRY_POINTS:
        raise UsageError(unknown_name("entry point", entry_point, ENTRY_POINTS))
    model = ENTRY_POINTS[entry_point]
    for name, value in values.items():
        if name not in model.model_fields:
            raise UsageError(unknown_name(f"{entry_point} parameter", name, model.model_fields))
        if name != "storage" and (masked := mask_addresses(str(value))) != str(value):
            raise UsageError(f"--{name}: expected no address with a password; received {masked!r}.")
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise UsageError(_line(entry_point, error.errors()[0])) from None


def _line(entry_point: str, error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    if not error["loc"]:  # a check of several parameters, which names them itself
        return message + "."
    received = repr(error["input"])
    if error["type"] == "missing":
        message, received = "expected a value, for there is no default", "none"
    if error["type"] == "literal_error":
        valid = re.findall(r"'(.*?)'", error["ctx"]["expected"])
        message = unknown_name(str(error["loc"][0]), str(error["input"]), valid).rstrip(".")
    message = message.replace("Input should be", "expected").split(", unable to parse")[0]
    return (
        f"--{error['loc'][0]}: {message}; received {received}. "
        f"See `python -m gauntlet {entry_point} --help`."
    )


def default_string(model: type[EntryPointConfig], name: str) -> str | None:
    """Return a parameter's default as it stands in MLproject and on the command line.

    None: there is none, so it must be given.
    """
    if name in model.from_preset:
        return PRESET
    if model.model_fields[name].is_required():
        return None
    return to_string(model.model_fields[name].default)


def typed(entry_point: str, config: EntryPointConfig) -> dict[str, str]:
    """Return what a user must type for this config: what is no default, or decides all the same."""
    model = ENTRY_POINTS[entry_point]
    preset = model.preset_values(config.model_dump())
    values = {name: to_string(getattr(config, name)) for name in model.model_fields}
    defaults = {
        name: to_string(preset[name]) if name in preset else default_string(model, name)
        for name in values
    }
    decides = config.decisive & config.model_fields_set
    return {
        name: value for name, value in values.items() if value != defaults[name] or name in decides
    }


def command(entry_point: str, config: EntryPointConfig) -> str:
    """Return the command that runs an entry point with this config."""
    given = [f"-P {k}={shlex.quote(v)}" for k, v in typed(entry_point, config).items()]
    return " ".join([f"mlflow run . -e {entry_point}", *given])
