"""The way from strings to a config, and back to the command that a user must type."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from gauntlet.catalogue.components import installed_components, load
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.catalogue.parameters import REQUIRED, Parameter, to_string
from gauntlet.config.config import Config
from gauntlet.errors import GauntletError, UsageError, unknown_name
from gauntlet.masking import mask_addresses


def config_class(entry_point: str) -> type[Config]:
    """Return the class of an entry point's configs.

    Raises:
        UsageError: there is no such entry point.
        GauntletError: an installed package brings it, and its config cannot be imported.
    """
    if entry_point not in ENTRY_POINTS:
        raise UsageError(unknown_name("entry point", entry_point, ENTRY_POINTS))
    entry = ENTRY_POINTS[entry_point]
    try:
        found: type[Config] = load(entry.config)
    except (ImportError, AttributeError) as error:
        if entry not in installed_components():
            raise
        raise GauntletError(
            f"the config of entry point '{entry_point}' ({entry.config}) cannot be used: "
            f"{type(error).__name__}: {error}. Mend or uninstall the package that brings it."
        ) from error
    return found


def parse(entry_point: str, values: Mapping[str, str]) -> Config:
    """Build the config of an entry point from strings.

    Raises:
        UsageError: unknown entry point or parameter, wrong type, out of range; one line that names
            the flag, what was expected and what was received.
    """
    model = config_class(entry_point)
    for name, value in values.items():
        parameter = model.parameters().get(name)
        open_to_see = parameter is not None and not parameter.secret
        if open_to_see and (masked := mask_addresses(str(value))) != str(value):
            raise UsageError(f"--{name}: expected no address with a password; received {masked!r}.")
    return model(**values)


def default_string(parameter: Parameter) -> str | None:
    """Return a parameter's default as it stands in MLproject and on the command line.

    None: there is none, so it must be given.
    """
    return None if parameter.default is REQUIRED else to_string(parameter.default)


def typed(config: Config) -> dict[str, str]:
    """Return what a user must type for this config: what is no default, or decides all the same."""
    given = config.given_among(config.values)

    def otherwise(name: str) -> object:
        return config.resolved({k: v for k, v in given.items() if k != name})[name]

    return {
        name: to_string(value)
        for name, value in given.items()
        if name in config.decisive
        or config.parameters()[name].default is REQUIRED
        or value != otherwise(name)
    }


def command(entry_point: str, config: Config) -> str:
    """Return the command that runs an entry point with this config."""
    given = [f"-P {name}={shlex.quote(value)}" for name, value in typed(config).items()]
    return " ".join([f"mlflow run . -e {entry_point}", *given])
