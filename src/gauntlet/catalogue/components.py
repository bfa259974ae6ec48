"""What every component says of itself, and the catalogue that holds the components of one kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module, metadata
from typing import Any, Generic, TypeVar

from gauntlet.catalogue.names import Name
from gauntlet.catalogue.parameters import Json, Parameter, Value, Values
from gauntlet.errors import GauntletError

GROUP = "gauntlet.components"
"""Entry points of other installed packages; each names a component, or a sequence of some."""


def _anything_goes(values: Values) -> None:
    del values


@dataclass(frozen=True, kw_only=True, eq=False)
class Component:
    """One entry of a catalogue; like itself alone.

    Attributes:
        name: as it is typed, logged and shown.
        sentence: what it is, in one sentence without a full stop.
        source: paper and section or equation; empty if the project's own.
        code: `module:object`, imported only when the component runs.
        parameters: argument of that code -> the parameter whose value it gets.
        fixed: arguments that this entry fixes.
        metrics: what its runs log beside the metrics of every component of its kind.
        rule: raises a `ValueError` of one line where values of its parameters, by name, do not go
            together; they are in range.
    """

    name: str
    sentence: str
    source: str = ""
    code: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    fixed: Values = field(default_factory=dict)
    metrics: tuple[Name, ...] = ()
    rule: Callable[[Values], None] = _anything_goes

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """Every parameter that it reads, each once."""
        return tuple(self.parameters.values())

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules whose source, with what they import, computes it."""
        return (module_of(self.code),)


C = TypeVar("C", bound=Component, covariant=True)


class Catalogue(Mapping[str, C], Generic[C]):
    """The components of one kind by name: the project's own, then those of installed packages."""

    def __init__(
        self, kind: type[C], what: str, own: Iterable[C] | Callable[[], Iterable[C]]
    ) -> None:
        """Take the project's own components, or what finds them; and what a name of one is."""
        self._kind, self.what, self._own = kind, what, own

    @cached_property
    def _entries(self) -> dict[str, C]:
        found: dict[str, C] = {}
        others = (c for c in installed_components() if isinstance(c, self._kind))
        for component in (*(self._own() if callable(self._own) else self._own), *others):
            if component.name in found:
                raise GauntletError(
                    f"two components are named {self.what} '{component.name}': uninstall the "
                    "package that brings one of them, or rename it there."
                )
            found[component.name] = component
        return found

    def __getitem__(self, name: str) -> C:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every parameter that a component of this kind reads, each once, in order."""
        read = (p for component in self.values() for p in component.all_parameters)
        return tuple(dict.fromkeys(read))


@cache
def installed_components() -> tuple[Component, ...]:
    """Return the components of other installed packages.

    Raises:
        GauntletError: one of them cannot be imported, or is no component.
    """
    found: list[Component] = []
    for entry_point in metadata.entry_points(group=GROUP):
        try:
            loaded = entry_point.load()
            several = [loaded] if isinstance(loaded, Component) else list(loaded)
        except Exception as error:  # whatever a stranger's module raises
            raise _unusable(entry_point, f"{type(error).__name__}: {error}") from error
        if not all(isinstance(one, Component) for one in several):
            raise _unusable(entry_point, f"expected components, found {loaded!r}")
        found += several
    return tuple(found)


def _unusable(entry_point: metadata.EntryPoint, reason: str) -> GauntletError:
    package = entry_point.dist.name if entry_point.dist else "an installed package"
    return GauntletError(
        f"the component '{entry_point.name}' of package {package} ({entry_point.value}) cannot be "
        f"used: {reason}. Mend or uninstall that package."
    )


def without_duplicates(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    """Return parameters by name.

    Raises:
        GauntletError: an installed package brings a flag that exists already.
    """
    found: dict[str, Parameter] = {}
    for parameter in parameters:
        if found.setdefault(parameter.name, parameter) is not parameter:
            both = {found[parameter.name], parameter}
            owners = (c.name for c in installed_components() if both & {*c.all_parameters})
            raise GauntletError(
                f"component '{next(owners, '')}' brings a flag --{parameter.name} of its own, "
                "which exists already: share the parameter, or rename it there."
            )
    return found


def module_of(code: str) -> str:
    """Return the module of `module:object`."""
    return code.partition(":")[0]


def load(code: str) -> Any:
    """Import what `module:object` names."""
    module, _, name = code.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True)
class Chosen(Generic[C]):
    """A component with the values of its parameters: all that a stage needs to run it.

    Attributes:
        entry: the component.
        values: name of each parameter that it reads -> value.
    """

    entry: C
    values: Values

    @property
    def name(self) -> str:
        """The component's name."""
        return self.entry.name

    @property
    def arguments(self) -> dict[str, Value]:
        """Argument of the component's code -> value."""
        given = {argument: self.values[p.name] for argument, p in self.entry.parameters.items()}
        return {**self.entry.fixed, **given}

    @property
    def settings(self) -> Json:
        """What decides its result, as JSON: its code, the parameters that are read, what is fixed.

        What the source of that code says stands in the fingerprint beside this.
        """
        read = {
            p.name: p.adapter.dump_python(self.values[p.name], mode="json")
            for p in self.entry.all_parameters
            if p.is_read(self.values)
        }
        return {**read, **self.entry.fixed, f"code of {self.name}": self.entry.code}

    def create(self, *arguments: Any) -> Any:
        """Import the component's code and call it with its arguments after these."""
        return load(self.entry.code)(*arguments, **self.arguments)


S = TypeVar("S", bound=Component)


def chosen(entry: S, values: Values) -> Chosen[S]:
    """Return a component with its part of the values of all parameters."""
    return Chosen(entry, {p.name: values[p.name] for p in entry.all_parameters})
