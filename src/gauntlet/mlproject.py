"""The text of MLproject, written from the catalogue: `python -m gauntlet.mlproject > MLproject`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from textwrap import fill

from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.catalogue.parameters import Parameter
from gauntlet.config.command_line import config_class, default_string

HEAD = """\
# Written by `make mlproject` from src/gauntlet/catalogue; tests/test_mlproject.py compares them.
name: gauntlet

# conda where it is installed; elsewhere the environment that runs `mlflow`
# (gauntlet.tracking.launcher).
conda_env: conda.yaml

# Help is in `python -m gauntlet attack --help`. `preset` as a value: what --preset says.
# Placeholders stay bare: MLflow quotes every value itself, and quotes round one would undo that.
entry_points:
"""

NUMBERS = {"integer", "number"}


def text() -> str:
    """Return the whole file."""
    return HEAD + "\n".join("\n".join(_entry_point(name)) + "\n" for name in ENTRY_POINTS)


def _entry_point(name: str) -> Iterator[str]:
    parameters = config_class(name).parameters().values()
    yield f"  {name}:"
    yield "    parameters:"
    for parameter in parameters:
        yield f"      {parameter.name}: {{{', '.join(_declared(parameter))}}}"
    flags = " ".join(f"--{p.name} {{{p.name}}}" for p in parameters)
    command = f'PYTHONPATH="$PWD/src" python -m gauntlet {name} {flags}'
    yield "    command: >-"
    # A flag stays in one line with its placeholder.
    joined = command.replace(" {", "\0{")
    yield fill(
        joined,
        100,
        initial_indent=" " * 6,
        subsequent_indent=" " * 6,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("\0", " ")


def _declared(parameter: Parameter) -> Iterator[str]:
    schema = parameter.adapter.json_schema()
    yield f"type: {'float' if schema.get('type') in NUMBERS else 'string'}"
    if (default := default_string(parameter)) is not None:
        yield f'default: "{default}"'


if __name__ == "__main__":
    sys.stdout.write(text())
