"""Attacks whose changes are measured in one norm, side by side: figures, and who beats whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gauntlet.arrays import Flags
from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.catalogue.units import BudgetNorm
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.distances import Distances
from gauntlet.evaluation.statistics import SIGNIFICANT, holm, mcnemar
from gauntlet.report.attack.rows import Row


@dataclass(frozen=True)
class Curves:
    """The attacks on one defence under one threat model whose changes are measured in one norm.

    Attributes:
        listed: cells that are known at their budgets alone.
        searches: attack -> distances, in this norm, whatever norm its budgets bound.
    """

    defence: str
    threat_model: str
    norm: BudgetNorm
    listed: tuple[CellResult, ...]
    searches: Mapping[str, Distances]

    @property
    def bounded(self) -> tuple[CellResult, ...]:
        """Cells whose attack aims at a budget, and keeps it: they share their budgets."""
        return tuple(cell for cell in self.listed if cell.keeps_budget and _aims(cell.attack))


class _Gap(NamedTuple):
    """What the strongest attack within a budget leaves, and what a search leaves, `(n,)` each."""

    bounded: CellResult
    at: int
    search: str
    left: Flags
    fewer: Flags

    @property
    def images(self) -> int:
        """How many images more the search fells."""
        return int(self.left.sum()) - int(self.fewer.sum())


def curves_of(rows: Sequence[Row]) -> list[Curves]:
    """Group the cells of all rows by defence, threat model and the norm of their changes."""
    groups: dict[tuple[str, str, BudgetNorm], list[CellResult]] = {}
    for row in rows:
        for cell in row.cells:
            norm = row.norm if cell.distances is None else cell.distances.norm
            groups.setdefault((row.defence, row.threat_model, norm), []).append(cell)
    return [_curves(*key, cells) for key, cells in groups.items()]


def _curves(
    defence: str, threat_model: str, norm: BudgetNorm, cells: Sequence[CellResult]
) -> Curves:
    listed = tuple(cell for cell in cells if cell.distances is None)
    searches = {cell.attack: cell.distances for cell in cells if cell.distances is not None}
    return Curves(defence, threat_model, norm, listed, searches)


def warnings(curves: Curves) -> Iterator[str]:
    """Name the strongest attack within a budget if a search fells more images there.

    At each budget and for each search, McNemar's test on the same images, corrected for the number
    of tests (Holm); the widest of the gaps that are no noise is said.
    """
    gaps = [*_gaps(curves)]
    p_values = holm([mcnemar(gap.left, gap.fewer) for gap in gaps])
    sure = [gap for gap, p in zip(gaps, p_values, strict=True) if p < SIGNIFICANT]
    widest = max(sure, key=lambda gap: gap.images, default=None)
    if widest is not None and widest.images > 0:
        yield _said(curves, widest)


def _gaps(curves: Curves) -> Iterator[_Gap]:
    epsilons = min((cell.epsilons for cell in curves.bounded), default=(), key=len)
    for at, epsilon in enumerate(epsilons):
        best = min(curves.bounded, key=lambda cell: cell.accuracies[at])
        for search, found in curves.searches.items():
            yield _Gap(best, at, search, best.correct[at], found.standing(epsilon))


def _said(curves: Curves, gap: _Gap) -> str:
    name = gap.bounded.attack
    return (
        f"{name} on {curves.defence} under {curves.threat_model} is not the worst case: at "
        f"epsilon {gap.bounded.budget_at(gap.at)} it leaves {gap.left.mean():.4f}, {gap.search} "
        f"{gap.fewer.mean():.4f}, {gap.images} fewer of {len(gap.left)} images: "
        f"{_next(curves, name)}"
    )


def _next(curves: Curves, attack: str) -> str:
    """Return what to run next: more steps, if it has any, or the ensemble, if it may run."""
    tries = []
    if steps := ATTACKS[attack].parameters.get("steps"):
        tries.append(f"more steps (--{steps.name})")
    ensemble, threat_model = f"autoattack{curves.norm.suffix}", curves.threat_model
    known = ensemble in (cell.attack for cell in curves.bounded)
    if not known and THREAT_MODELS[threat_model].allows(ATTACKS[ensemble]):
        tries.append(f"--attacks {ensemble}")
    return f"try {' or '.join(tries)}" if tries else "believe the lower number"


def _aims(attack: str) -> bool:
    """Tell whether an attack makes the most of each budget, and does not look for a minimum."""
    return attack in ATTACKS and not ATTACKS[attack].finds_minimum
