"""The page `reference/parameters.md`: every parameter of every entry point, from `gauntlet.config`.

Imports no TensorFlow.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gauntlet.config.base import PRESETS, EntryPointConfig, to_string
from gauntlet.config.entry_points import ENTRY_POINTS, default_string
from gauntlet.config.published import AS_PUBLISHED, FROM_PRESET, training_of
from gauntlet.config.tune import VALIDATION_SIZES

HEAD = """\
# Parameters

<!-- Written by docs/generate.py from gauntlet.config: edit the field, then run `make docs`. -->

Give a parameter to `mlflow run` as `-P name=value`, to the command line as `--name value`. Lists
are comma separated. `python -m gauntlet attack --help` says the same in the terminal. An unknown
name, a wrong type or a value out of range ends the command with one line and exit code 2, before
anything is computed. The words are explained in [Concepts](../concepts.md).

"""

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
    yield from _table_head("entry point", "does", "reads the parameters of")
    for name, model in ENTRY_POINTS.items():
        groups = [f"[{_title(g)}](#{_anchor(g)})" for g in reversed(_classes(model))]
        yield _row(f"`{name}`", _sentence(model), ", ".join(groups))
    yield ""


def _presets() -> Iterator[str]:
    """Yield the table of what the presets say: of the data, and of each kind of autoencoder."""
    yield "## Presets\n"
    yield (
        "`preset=paper` is full size, as published; `preset=smoke` is small data and a short "
        "training. A parameter whose default is `preset` takes the value of this table. The "
        "training's values follow the kind of `autoencoder`; where two are shown, the second is "
        "that of `smoke`.\n"
    )
    yield from _table_head("parameter", *PRESETS)
    for name in PRESETS["paper"]:
        yield _row(f"`{name}`", *(f"`{to_string(p[name])}`" for p in PRESETS.values()))
    held_out = (f"`{size}`" for size in VALIDATION_SIZES.values())
    yield _row("`validation_size` of `tune`", *held_out)
    yield _row("`validation_size` of `classifier`", *("`0`" for _ in PRESETS))
    yield ""
    names = sorted(FROM_PRESET)
    yield from _table_head("autoencoder", *(f"`{name}`" for name in names))
    for kind in AS_PUBLISHED:
        said = [training_of(kind, preset) for preset in PRESETS]
        cells = [dict.fromkeys(to_string(one[name]) for one in said) for name in names]
        yield _row(f"`{kind}`", *(" / ".join(cell) for cell in cells))
    yield ""


def _groups() -> Iterator[str]:
    """Yield a section per config class: the parameters that it adds or whose default it changes."""
    users: dict[type[EntryPointConfig], type[EntryPointConfig]] = {}
    for model in ENTRY_POINTS.values():
        for group in reversed(_classes(model)):
            users.setdefault(group, model)
    for group, model in users.items():
        yield f"## {_title(group)}\n"
        yield from _table_head("parameter", "expected", "default", "meaning")
        schema = group.model_json_schema()["properties"]
        for name in _own(group):
            meaning = group.model_fields[name].description or ""
            yield _row(
                f"`{name}`", _expected(schema[name]), _default(model, name), _escaped(meaning)
            )
        yield ""


def _classes(model: type[EntryPointConfig]) -> list[type[EntryPointConfig]]:
    """Return the classes that declare parameters of an entry point, the nearest first."""
    return [c for c in model.__mro__ if issubclass(c, EntryPointConfig) and _own(c)]


def _own(model: type[EntryPointConfig]) -> list[str]:
    return [name for name in inspect.get_annotations(model) if name in model.model_fields]


def _title(model: type[EntryPointConfig]) -> str:
    return {"RunConfig": "Data and seed", "NetworksConfig": "Networks"}.get(
        model.__name__, model.__name__.removesuffix("Config")
    )


def _anchor(model: type[EntryPointConfig]) -> str:
    return _title(model).lower().replace(" ", "-")


def _sentence(model: type[EntryPointConfig]) -> str:
    return _escaped((model.__doc__ or "").splitlines()[0])


def _default(model: type[EntryPointConfig], name: str) -> str:
    default = default_string(model, name)
    if default is None:
        return "none: it must be given"
    return "empty" if default == "" else f"`{default}`"


def _expected(schema: Mapping[str, Any]) -> str:
    """Say in words what values a parameter takes, from its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(map(_expected, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type")
    if kind == "array":
        return f"list, each a {_expected(schema.get('items', {}))}"
    if kind == "boolean":
        return "`true`, `false`"
    said = [form.format(_number(schema[key])) for key, form in BOUNDS.items() if key in schema]
    return " ".join([NUMBERS.get(str(kind), "text"), " and ".join(said)]).strip()


def _number(value: float) -> str:
    if value == 2**63:
        return "2^63"
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _table_head(*titles: str) -> Sequence[str]:
    return [_row(*titles), _row(*["---"] * len(titles))]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(words: str) -> str:
    return words.replace("|", "\\|").replace("<", "&lt;")
