"""A paper's claims as data: what is claimed, how it is measured, what is expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from gauntlet.errors import UsageError
from gauntlet.report.claims.measures import Data, Measure

Yaml = dict[str, Any]
"""A mapping of a claims file before it is validated."""


class Expect(Data):
    """What must hold for every measure, or for their order.

    Attributes:
        near, within: a number, and by how much a measure may differ from it.
        between: lowest and highest value.
        at_most, at_least: a bound.
        equals: a text.
        order: of the measures; each must differ from the next by more than noise.
    """

    near: float | None = None
    within: float | None = Field(None, ge=0)
    between: tuple[float, float] | None = None
    at_most: float | None = None
    at_least: float | None = None
    equals: str | None = None
    order: Literal["ascending", "descending"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Expect:
        given = self.model_fields_set - {"within"}
        if len(given) != 1 or (self.near is None) != (self.within is None):
            raise ValueError(
                "expected one of near (with within), between, at_most, at_least, equals, order"
            )
        return self

    def __str__(self) -> str:
        if self.near is not None:
            return f"{self.near:g} ± {self.within:g}"
        if self.between is not None:
            return "{:g} to {:g}".format(*self.between)
        if self.equals is not None:
            return self.equals
        if self.order is not None:
            return f"{self.order}, by more than noise"
        return (
            f"at most {self.at_most:g}" if self.at_least is None else f"at least {self.at_least:g}"
        )


class Check(Data):
    """Measures and what is expected of them."""

    measures: Annotated[tuple[Measure, ...], Field(min_length=1)]
    expect: Expect

    @model_validator(mode="after")
    def _order_of_several(self) -> Check:
        if self.expect.order is not None and len(self.each) < 2:
            raise ValueError("expected at least two measures to order")
        return self

    @property
    def each(self) -> tuple[Measure, ...]:
        """The measures, combinations written out."""
        return tuple(one for measure in self.measures for one in measure.each())


class Reading(Data):
    """One way to understand a claim; it holds if all its checks hold."""

    name: str
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]


class Claim(Data):
    """One claim of a paper.

    Attributes:
        id: short and stable, for links.
        where: section, table or figure.
        text: what is claimed, in our words.
        published: the number or the order as printed. Figures and tables read it from here.
        tolerance: why the checks accept what they accept.
        ambiguity: what the text leaves open.
        readings: the ways to understand it that were tried; the first is nearest to the text.
        not_checkable: why no reading can be tried.
    """

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    where: str
    text: str
    published: str
    tolerance: str = ""
    ambiguity: str = ""
    readings: tuple[Reading, ...] = ()
    not_checkable: str = ""

    @model_validator(mode="after")
    def _checkable_or_not(self) -> Claim:
        if bool(self.readings) == bool(self.not_checkable):
            raise ValueError("expected either readings or the reason why it is not_checkable")
        if self.readings and not self.tolerance:
            raise ValueError("expected the reason of the tolerance")
        return self


class PaperClaims(Data):
    """All claims of a paper.

    Many claims are read in the same ways: behind the autoencoder or before it, at one budget or
    another. `ways` is a macro for that: `{name: {way: fields}}`. A reading with `ways: name`
    expands to one reading per way, with these fields as defaults of its cell measures:

        ways:
          network:
            behind the autoencoder: {defence: encoded, threat_model: encoded}
            before it: {defence: encoded, threat_model: white_box}
        claims:
          - id: fgsm
            readings:
              - {ways: network, checks: [{measures: [{attack: fgsm, ...}], expect: ...}]}

    If the reading has a name of its own, each expanded name is "name: way".
    """

    paper: str
    title: str
    authors: str
    published: str
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _write_out_ways(cls, found: object) -> object:
        if not isinstance(found, dict) or "ways" not in found:
            return found
        try:
            return _without_ways(found)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"ways: cannot write them out: {error!r}") from None

    @model_validator(mode="after")
    def _ids_once(self) -> PaperClaims:
        ids = [claim.id for claim in self.claims]
        if twice := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"expected each id once; received {', '.join(sorted(twice))} twice")
        return self


def _without_ways(found: Yaml) -> Yaml:
    paper = dict(found)
    ways, claims = paper.pop("ways"), []
    for claim in paper["claims"]:
        readings = [one for r in claim.get("readings", ()) for one in _each_way(r, ways)]
        claims.append(claim | {"readings": readings})
    return paper | {"claims": claims}


def _each_way(reading: Yaml, ways: Mapping[str, Mapping[str, Yaml]]) -> Iterator[Yaml]:
    """Yield the readings that a reading of the file expands to."""
    if "ways" not in reading:
        yield reading
        return
    one = dict(reading)
    for way, fields in ways[one.pop("ways")].items():
        checks = [
            check | {"measures": [fields | m if "quantity" in m else m for m in check["measures"]]}
            for check in one["checks"]
        ]
        name = f"{one['name']}: {way}" if "name" in one else way
        yield one | {"name": name, "checks": checks}


def load_claims(file: Path) -> PaperClaims:
    """Read a claims file.

    Raises:
        UsageError: it is not there, or not what `PaperClaims` says; the line names the place.
    """
    try:
        return PaperClaims.model_validate(yaml.safe_load(file.read_text()))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{file.name}: {place}: {first['msg']}") from None
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {error}") from None
