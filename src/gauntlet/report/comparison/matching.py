"""Which cells of several runs can be compared, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.threat_models import THREAT_MODELS, on_images
from gauntlet.catalogue.units import Unit
from gauntlet.cells.result import CellResult
from gauntlet.tracking.finished import FinishedRun


# eq=False: compare by identity. The arrays inside are not hashable, and instances are dictionary
# keys.
@dataclass(frozen=True, eq=False)
class Comparand:
    """One defence of one run: a participant in a comparison.

    Attributes:
        run: an attack run or a single cell.
        defence: one of its defences.
        cells: everything that this run measured of this defence.
    """

    run: FinishedRun
    defence: str
    cells: tuple[CellResult, ...]

    @property
    def name(self) -> str:
        """For people: the run's name, enough of its id to be unambiguous, and the defence."""
        return f"{self.run.label}, {self.defence}"

    @property
    def short(self) -> str:
        """For sentences, where `name` can be looked up."""
        return f"{self.run.id[:8]}/{self.defence}"

    @property
    def key(self) -> str:
        """For names of metrics and files."""
        return f"{self.run.id[:8]}_{self.defence}"

    def cell(self, threat_model: str, attack: str) -> CellResult | None:
        """Return the one cell of an attack under a threat model, if there is one."""
        here = (
            cell
            for cell in self.cells
            if (cell.threat_model, cell.attack) == (threat_model, attack)
        )
        return next(here, None)


@dataclass(frozen=True, eq=False)
class Shared:
    """One attack under one threat model, made by several runs with the same budgets and images.

    Attributes:
        threat_model, attack: names.
        cells: comparand -> its cell, in the order that was asked for.
    """

    threat_model: str
    attack: str
    cells: Mapping[Comparand, CellResult]

    @property
    def one(self) -> CellResult:
        """Any of the cells: budgets, their unit and labels are the same for all."""
        return next(iter(self.cells.values()))

    @property
    def unit(self) -> Unit:
        """The unit of its budgets."""
        return self.one.unit

    def has(self, epsilon: float) -> bool:
        """Tell whether the attack was made with a budget."""
        return any(abs(known - epsilon) < 1e-9 for known in self.one.epsilons)

    def index(self, epsilon: float) -> int:
        """Return the index of a budget that the attack was made with."""
        return int(np.abs(np.subtract(self.one.epsilons, epsilon)).argmin())


class LeftOut(NamedTuple):
    """A cell that is compared with nothing, and why."""

    comparand: Comparand
    cell: CellResult
    reason: str


class _Terms(NamedTuple):
    """What must be equal where cells are compared."""

    epsilons: tuple[float, ...]
    relative: bool
    images: bytes


def match(
    comparands: Sequence[Comparand], epsilon: float | None
) -> tuple[list[Shared], list[LeftOut]]:
    """Find what can be compared.

    Runs may have made an attack with different sets of budgets. The cells of the set that most runs
    have are compared.

    Args:
        comparands: in the order of the tables.
        epsilon: budget of pixels in [0, 1] that a cell must have; None: each attack's reference.

    Returns:
        What several runs share, by threat model and attack; and all other cells.
    """
    shared: list[Shared] = []
    left_out: list[LeftOut] = []
    cells = [cell for comparand in comparands for cell in comparand.cells]
    # What is not installed here comes last.
    threat_models = dict.fromkeys([*THREAT_MODELS, *sorted({c.threat_model for c in cells})])
    attacks = dict.fromkeys([*ATTACKS, *sorted({c.attack for c in cells})])
    for threat_model in threat_models:
        for attack in attacks:
            found = {c: cell for c in comparands if (cell := c.cell(threat_model, attack))}
            if found:
                _sort_out(Shared(threat_model, attack, found), epsilon, shared, left_out)
    return shared, left_out


def _sort_out(
    all_cells: Shared, epsilon: float | None, shared: list[Shared], left_out: list[LeftOut]
) -> None:
    """Sort the cells of one attack under one threat model into shared and left out."""
    groups = _by_terms(all_cells)
    best = max(groups, key=lambda terms: len(_runs(groups[terms])))
    for terms, cells in groups.items():
        group = Shared(all_cells.threat_model, all_cells.attack, cells)
        reason = _reason(group, terms, best, groups, epsilon)
        if reason:
            left_out += [LeftOut(comparand, cell, reason) for comparand, cell in cells.items()]
        else:
            shared.append(group)


def _by_terms(found: Shared) -> dict[_Terms, dict[Comparand, CellResult]]:
    groups: dict[_Terms, dict[Comparand, CellResult]] = {}
    for comparand, cell in found.cells.items():
        groups.setdefault(_terms(comparand, cell), {})[comparand] = cell
    return groups


def _terms(comparand: Comparand, cell: CellResult) -> _Terms:
    # `relative_budget` has no effect on budgets of an image.
    asked = comparand.run.config.get("relative_budget") == "true"
    relative = asked and cell.threat_model not in on_images()
    return _Terms(tuple(round(e, 9) for e in cell.epsilons), relative, cell.labels.tobytes())


def _runs(cells: Mapping[Comparand, CellResult]) -> set[str]:
    return {comparand.run.id for comparand in cells}


def _reason(
    group: Shared,
    terms: _Terms,
    best: _Terms,
    groups: Mapping[_Terms, Mapping[Comparand, CellResult]],
    epsilon: float | None,
) -> str:
    """Return why a group is not compared; empty: it is compared."""
    if len({run for cells in groups.values() for run in _runs(cells)}) == 1:
        return "stands in one run only"
    if terms != best or len(_runs(group.cells)) == 1:
        rival = best if terms != best else next(other for other in groups if other != best)
        return _difference(terms, rival, next(iter(groups[rival])))
    if epsilon is not None and not group.has(epsilon):
        return f"not attacked at epsilon {epsilon:g}, but at {_listed(terms.epsilons)}"
    return ""


def _difference(terms: _Terms, rival: _Terms, who: Comparand) -> str:
    said = []
    if terms.images != rival.images:
        said.append(f"other test images than {who.run.label}")
    if terms.epsilons != rival.epsilons:
        said.append(
            f"budgets {_listed(terms.epsilons)}, where {who.run.label} has "
            f"{_listed(rival.epsilons)}"
        )
    if terms.relative != rival.relative:
        said.append(
            f"budgets {_scale(terms.relative)}, where those of {who.run.label} are "
            f"{_scale(rival.relative)}"
        )
    return "; ".join(said)


def _scale(relative: bool) -> str:
    return "relative to the output" if relative else "absolute"


def _listed(epsilons: Sequence[float]) -> str:
    return ", ".join(f"{epsilon:.4g}" for epsilon in epsilons)


def common_budgets(shared: Sequence[Shared]) -> list[float]:
    """Return the budgets, of pixels in [0, 1], that all these attacks were made with, ascending."""
    return [e for e in shared[0].one.epsilons if all(attack.has(e) for attack in shared)]


def reference(shared: Sequence[Shared]) -> float | None:
    """Return the budget, of pixels in [0, 1], that tables show; all attacks have it in one unit.

    It is 0.1 (16 grey levels for unbounded attacks, 1.5 in L2) if all attacks have it, else the
    largest that all have; None: they share no budget.
    """
    common = common_budgets(shared)
    return common[shared[0].unit.index_of_reference(common)] if common else None
