"""The numbers that a paper printed, read from its claims: they stand nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from gauntlet.errors import UsageError
from gauntlet.report.claims.measures import CellMeasure
from gauntlet.report.claims.results import Key
from gauntlet.report.claims.schema import Claim, PaperClaims

Published = Mapping[tuple[Key, str], float]
"""Cell and name of a quantity -> the printed number; a share is in [0, 1]."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)( %)?")


def published_numbers(claims: PaperClaims) -> dict[tuple[Key, str], float]:
    """Return the printed number of each cell quantity that a claim prints a number for.

    A claim's numbers belong to the measures of its first reading, in order ("0.07, 0.08"); a single
    number belongs to all of them.

    Raises:
        UsageError: two claims print different numbers for one quantity of one cell.
    """
    found: dict[tuple[Key, str], float] = {}
    for claim in claims.claims:
        for measure, value in _pairs(claim):
            place = Key.of(measure), measure.quantity
            if found.setdefault(place, value) != value:
                raise UsageError(
                    f"{claims.paper}: {claim.id}: expected one published number per measure; "
                    f"received {value:g} and {found[place]:g} for {measure}"
                )
    return found


def _pairs(claim: Claim) -> Iterator[tuple[CellMeasure, float]]:
    """Yield the cell measures of the first reading and their numbers, if numbers were printed."""
    printed = [_NUMBER.fullmatch(text) for text in claim.published.split(", ")]
    values = [_value(*match.groups()) for match in printed if match]
    checks = [check for reading in claim.readings[:1] for check in reading.checks]
    measures = [measure for check in checks for measure in check.each]
    if len(values) < len(printed):
        return  # an order, or words
    if len(values) == 1:
        values *= len(measures)
    if len(values) == len(measures):
        for measure, value in zip(measures, values, strict=True):
            if isinstance(measure, CellMeasure):
                yield measure, value


def _value(number: str, percent: str | None) -> float:
    """Return a printed number; the decimal division keeps 94.41 % exactly 0.9441."""
    return float(Decimal(number) / (100 if percent else 1))
