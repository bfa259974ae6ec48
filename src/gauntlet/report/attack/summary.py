"""What an attack run found: one row per defence and threat model, headlines, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.units import BudgetNorm
from gauntlet.cells.certified import Certified
from gauntlet.cells.result import CellResult
from gauntlet.report import chance
from gauntlet.report.attack import curves, doubts
from gauntlet.report.attack.bracket import Bracket, brackets
from gauntlet.report.attack.rows import Row, least


@dataclass(frozen=True)
class Summary:
    """All rows of an attack run, and what its certificates prove."""

    rows: tuple[Row, ...]
    certified: tuple[Certified, ...] = ()

    @property
    def attacks(self) -> list[CellResult]:
        """One cell per attack, in order: the columns of the table."""
        return list({cell.attack: cell for row in self.rows for cell in row.cells}.values())

    @cached_property
    def brackets(self) -> tuple[Bracket, ...]:
        """What is proven and what attacks leave, per defence and norm."""
        return brackets(self.certified, self.rows)

    def headlines(self) -> Iterator[str]:
        """Yield one sentence per norm and defence: the least robust accuracy over threat models."""
        return map(str, least(self.rows))

    @property
    def headline_metrics(self) -> Iterator[tuple[str, float]]:
        """The headlines as metrics: names and values, and the budget that those of a norm share."""
        found = least(self.rows)
        for row, at in {headline.row.norm: headline for headline in reversed(found)}.values():
            yield f"headline/epsilon{row.norm.suffix}", row.epsilons[at]
        for headline in found:
            yield from headline.metrics

    def notes(self) -> Iterator[str]:
        """Yield which numbers mislead, though no worst case hangs on them."""
        return doubts.notes(self.rows)

    def warnings(self) -> Iterator[str]:
        """Yield why a number may mislead: nothing learned, masked gradients, weak attacks."""
        for bracket in self.brackets:
            yield from bracket.warnings
        yield from chance.warnings(_judged_models(self.rows))
        yield from doubts.warnings(self.rows)
        for row in self.rows:
            if row.threat_model == "white_box":
                yield from _beaten_by_queries(row)
        for side_by_side in curves.curves_of(self.rows):
            yield from curves.warnings(side_by_side)


def _judged_models(rows: Sequence[Row]) -> Iterator[chance.Judged]:
    """Yield each defence once: its clean accuracy is the same under every threat model."""
    first: dict[str, CellResult] = {}
    for row in rows:
        first.setdefault(row.defence, row.cells[0])
    return (chance.Judged(who, cell.labels, cell.clean) for who, cell in first.items())


def _beaten_by_queries(white: Row) -> Iterator[str]:
    """Compare the best gradient attack with each query attack (Athalye et al. 2018)."""
    gradient = [c for c in white.judged if not _by_queries(c.attack)]
    best = min(gradient, key=white.left_by, default=None)
    for cell in white.judged:
        asks = _by_queries(cell.attack)
        if best is not None and asks and white.left_by(cell).high < white.left_by(best).low:
            yield (
                f"{cell.attack} on {white.defence}, queries alone: leaves "
                f"{white.left_by(cell).value:.4f}, the best gradient attack ({best.attack}) "
                f"{white.left_by(best).value:.4f}: the white-box gradient is masked"
            )


def summarise(cells: Sequence[CellResult], certified: Sequence[Certified] = ()) -> Summary:
    """Group cells into rows, by defence, threat model and norm of budgets, keeping their order."""
    groups: dict[tuple[str, str, BudgetNorm], list[CellResult]] = {}
    for cell in cells:
        groups.setdefault((cell.defence, cell.threat_model, cell.unit.norm), []).append(cell)
    rows = tuple(Row(d, t, tuple(some)) for (d, t, _), some in groups.items())
    return Summary(rows, tuple(certified))


def _by_queries(attack: str) -> bool:
    """Tell whether an attack follows scores or decisions, not gradients."""
    return attack in ATTACKS and ATTACKS[attack].needs in ("scores", "decisions")
