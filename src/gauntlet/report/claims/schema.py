"""A paper's claims as data, and the verdict on each, computed from results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from gauntlet.errors import UsageError
from gauntlet.report.claims.measures import Data, Measure


class Expect(Data):
    """What must hold: of every measure, or of their order.

    Attributes:
        near, within: a number and how far off it may be.
        between: lowest and highest.
        at_most, at_least: a bound.
        equals: a text.
        order: of the measures, each from the next by more than noise.
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
    """One way to understand a claim; it holds if all its checks do."""

    name: str
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]


class Claim(Data):
    """One claim of a paper.

    Attributes:
        id: short and stable, for links.
        where: section, table or figure.
        text: what is claimed, in our words.
        published: the number or the order, as printed.
        tolerance: why the checks allow what they allow.
        ambiguity: what the text leaves open.
        readings: ways to understand it that were tried.
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

    A claim is often read in the same ways as others: behind the autoencoder or before it, at one
    budget or another. In a file, `ways` maps a name to such ways, each of them the fields of a cell
    measure by the way's name. A reading with `ways: NAME` stands for one reading per way, whose
    fields complete each of its cell measures; what the measure itself says comes first. Such a
    reading's own name, if it has one, stands before the way's.
    """

    paper: str
    title: str
    authors: str
    published: str
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _write_out_ways(cls, found: Any) -> Any:
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


def _without_ways(found: dict[str, Any]) -> dict[str, Any]:
    paper = dict(found)
    ways, claims = paper.pop("ways"), []
    for claim in paper["claims"]:
        readings = [one for r in claim.get("readings", ()) for one in _each_way(r, ways)]
        claims.append(claim | {"readings": readings})
    return paper | {"claims": claims}


def _each_way(reading: dict[str, Any], ways: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the readings that a file's reading stands for."""
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
        found: Any = yaml.safe_load(file.read_text())
        return PaperClaims.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{file.name}: {place}: {first['msg']}") from None
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {error}") from None


class Holds(StrEnum):
    """What came out of a check, of a reading."""

    YES = "holds"
    NO = "does not hold"
    NOISE = "inside the noise"
    UNTESTED = "not tested"
    MISSING = "not measured"


class Verdict(StrEnum):
    """What came out of a claim."""

    REPRODUCED = "reproduced"
    ONLY_UNDER = "reproduced only under"
    NOT_REPRODUCED = "not reproduced"
    NOT_TESTED = "not tested"
    NOT_CHECKABLE = "not checkable"


def all_of(found: Sequence[Holds]) -> Holds:
    """Return what a reading comes to whose checks came to `found`: the worst of them."""
    for outcome in (Holds.NO, Holds.MISSING, Holds.NOISE, Holds.UNTESTED):
        if outcome in found:
            return outcome
    return Holds.YES


def verdict(readings: Sequence[Holds]) -> Verdict:
    """Return the verdict on a claim from its readings.

    All hold: reproduced. Some hold: only under these. None holds, and one was contradicted: not
    reproduced. None was contradicted, but of one the noise was not tested, so that it may hold yet:
    not tested. An order inside the noise is one that did not show: not reproduced. Nothing
    measured: not checkable.
    """
    held = readings.count(Holds.YES)
    if readings and held == len(readings):
        return Verdict.REPRODUCED
    if held:
        return Verdict.ONLY_UNDER
    if Holds.UNTESTED in readings and Holds.NO not in readings:
        return Verdict.NOT_TESTED
    measured = set(readings) - {Holds.MISSING}
    return Verdict.NOT_REPRODUCED if measured else Verdict.NOT_CHECKABLE
