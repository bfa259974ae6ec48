"""The page `reference/parameters.md`: every parameter of every entry point, from the catalogue.

Imports no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from markdown import code, escaped, table

from gauntlet.catalogue.autoencoders import AUTOENCODERS, from_preset
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.catalogue.parameters import Parameter, to_string
from gauntlet.config.attack_parameters import (
    attack_parameters,
    certificate_parameters,
    defence_parameters,
)
from gauntlet.config.command_line import config_class, default_string
from gauntlet.config.data import PRESETS, data_parameters
from gauntlet.config.networks import autoencoder_parameters, classifier_parameters
from tuning.config import VALIDATION_SIZES

HEAD = """\
# Parameters

<!-- Written by docs/generate.py from src/gauntlet/catalogue: edit that, then run `make docs`. -->

Give a parameter to `mlflow run` as `-P name=value`, to the command line as `--name value`. Lists
are comma separated. `python -m gauntlet attack --help` says the same in the terminal. An unknown
name, a wrong type or a value out of range ends the command with one line and exit code 2, before
anything is computed. The words are explained in [Concepts](../concepts.md).

"""

SHARED: Mapping[str, Callable[[], Sequence[Parameter]]] = {
    "Data and seed": data_parameters,
    "Autoencoders": autoencoder_parameters,
    "Classifiers": classifier_parameters,
    "Defences": defence_parameters,
    "Attacks": attack_parameters,
    "Certificates": certificate_parameters,
}
"""Groups of parameters that several entry points have."""

NUMBERS = {"integer": "whole number", "number": "number"}
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def text() -> str:
    """Return the page."""
    return HEAD + "\n".join([*_entry_points(), *_presets(), *_groups()])


def _entry_points() -> Iterator[str]:
    """Yield the table of entry points: what each does and which groups of parameters it reads."""
    rows = []
    for name, entry in ENTRY_POINTS.items():
        groups = [*_shared_by(name), *([_own_title(name)] if _own(name) else [])]
        links = (f"[{title}](#{_anchor(title)})" for title in groups)
        rows.append([code(name), f"{escaped(entry.sentence)}.", ", ".join(links)])
    yield from table(("entry point", "does", "reads the parameters of"), rows)


def _presets() -> Iterator[str]:
    """Yield the table of what the presets say: of the data, and of each kind of autoencoder."""
    yield "## Presets\n"
    yield (
        "`preset=paper` is full size, as published; `preset=smoke` is small data and a short "
        "training. A parameter whose default is `preset` takes the value of this table. The "
        "training's values follow the kind of `autoencoder`; where two are shown, the second is "
        "that of `smoke`.\n"
    )
    rows = [[code(n), *(code(to_string(p[n])) for p in PRESETS.values())] for n in PRESETS["paper"]]
    held_out = [code(str(size)) for size in VALIDATION_SIZES.values()]
    rows.append(["`validation_size` of `tune`", *held_out])
    yield from table(("parameter", *PRESETS), rows)
    names = sorted(from_preset())
    kinds = []
    for name, kind in AUTOENCODERS.items():
        said = [dict.fromkeys(to_string(p[n]) for p in kind.presets.values()) for n in names]
        kinds.append([code(name), *(" / ".join(values) for values in said)])
    yield from table(("autoencoder", *map(code, names)), kinds)


def _groups() -> Iterator[str]:
    """Yield a section per group, and one per entry point that has parameters of its own."""
    for title, group in SHARED.items():
        yield from _section(title, group())
    for name in ENTRY_POINTS:
        if name != "main" and (own := _own(name)):
            yield from _section(_own_title(name), own)


def _section(title: str, parameters: Sequence[Parameter]) -> Iterator[str]:
    yield f"## {title}\n"
    rows = (
        [code(p.name), _expected(p.adapter.json_schema()), _default(p), escaped(p.help)]
        for p in parameters
    )
    yield from table(("parameter", "expected", "default", "meaning"), rows)


def _shared_by(entry_point: str) -> list[str]:
    """Return the groups of which an entry point has every parameter."""
    known = config_class(entry_point).parameters()
    return [t for t, group in SHARED.items() if all(p.name in known for p in group())]


def _own(entry_point: str) -> list[Parameter]:
    """Return the parameters of an entry point that stand in no shared group as it has them."""
    shared = {(p.name, default_string(p)) for t in _shared_by(entry_point) for p in SHARED[t]()}
    parameters = config_class(entry_point).parameters().values()
    return [p for p in parameters if (p.name, default_string(p)) not in shared]


def _own_title(entry_point: str) -> str:
    return f"Of {entry_point} alone"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _default(parameter: Parameter) -> str:
    default = default_string(parameter)
    if default is None:
        return "none: it must be given"
    return "empty" if default == "" else code(default)


def _expected(schema: Mapping[str, Any]) -> str:
    """Say in words what values a parameter takes, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(map(_expected, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    if "const" in schema:
        return code(schema["const"])
    kind = schema.get("type")
    if kind == "array":
        return f"list, each a {_expected(schema.get('items', {}))}"
    if kind == "boolean":
        return "`true`, `false`"
    said = [form.format(_number(schema[key])) for key, form in BOUNDS.items() if key in schema]
    return " ".join([NUMBERS.get(str(kind), "text"), " and ".join(said)]).strip()


def _number(value: float) -> str:
    if value >= 2**62:
        return "2^63 - 1"
    return f"{int(value):,}" if value == int(value) else f"{value:g}"
