"""Shared attacks as contests: who withstands more, by how much, and whether it is noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.config.tables import ON_IMAGES
from gauntlet.evaluation.statistics import (
    Interval,
    holm,
    mcnemar,
    paired_difference,
    wilson,
    worst_case,
)
from gauntlet.report.comparison.matching import Comparand, Shared, common_budgets, reference

WORST_CASE = "worst_case"
"""Stands for an attack: an image falls if any of the shared ones fells it."""

SIGNIFICANT = 0.05


@dataclass(frozen=True, eq=False)
class Contest:
    """What stands in one table.

    Attributes:
        threat_model: of all attacks.
        name: the attack's, or `worst_case`.
        attacks: one, or those that the worst case is over; all by the same comparands.
        epsilon: budget in [0, 1] of the table.
    """

    threat_model: str
    name: str
    attacks: tuple[Shared, ...]
    epsilon: float

    @property
    def title(self) -> str:
        """As headings show it."""
        return f"{self.name.replace('_case', ' case')} under {self.threat_model}"

    @property
    def budget(self) -> str:
        """The table's budget as text, in the attack's own unit."""
        bounded = self.attacks[0].one.bounded
        return f"{self.epsilon:g}" if bounded else f"{255 * self.epsilon:g}/255"

    @property
    def images(self) -> int:
        """How many test images were attacked."""
        return len(self.attacks[0].one.labels)

    @property
    def comparands(self) -> tuple[Comparand, ...]:
        """Who takes part; the first is what others are compared with."""
        return tuple(self.attacks[0].cells)

    def withstood(self, comparand: Comparand, epsilon: float | None = None) -> NDArray[np.bool_]:
        """Return which images `(n,)` no attack fells; at the table's budget unless one is given."""
        at = self.epsilon if epsilon is None else epsilon
        return worst_case(
            [attack.cells[comparand].correct[attack.index(at)] for attack in self.attacks]
        )

    def clean(self, comparand: Comparand) -> Interval:
        """Return accuracy without attack; a rejected image is an error."""
        cell = self.attacks[0].cells[comparand]
        return wilson(cell.clean == cell.labels)

    def curve(self, comparand: Comparand) -> tuple[list[float], list[float]]:
        """Return the budgets that all attacks have, and robust accuracy at each."""
        common = common_budgets(self.attacks)
        return common, [float(self.withstood(comparand, e).mean()) for e in common]


def contests(shared: Sequence[Shared], epsilon: float | None) -> list[Contest]:
    """Return a contest per attack and threat model, at `epsilon` or each one's reference."""
    found = []
    for attack in shared:
        at = reference([attack]) if epsilon is None else epsilon
        if at is not None:
            found.append(Contest(attack.threat_model, attack.attack, (attack,), at))
    return found


def worst_cases(shared: Sequence[Shared], epsilon: float | None) -> list[Contest]:
    """Return a contest per threat model, over the attacks that all have made who take part.

    Attacks that keep neither budget nor box stay out, unless there are no others. A threat model
    without an attack or a budget that all have is left out.
    """
    found = []
    for threat_model in dict.fromkeys(attack.threat_model for attack in shared):
        here = [attack for attack in shared if attack.threat_model == threat_model]
        judged = [attack for attack in here if attack.one.bounded] or here
        everybody = {comparand for attack in judged for comparand in attack.cells}
        attacks = tuple(attack for attack in judged if set(attack.cells) == everybody)
        at = reference(attacks) if attacks and epsilon is None else epsilon
        if attacks and at is not None:
            found.append(Contest(threat_model, WORST_CASE, attacks, at))
    return found


def strongest(found: Sequence[Contest], threat_model: str) -> Contest:
    """Return the attack under a threat model that leaves the least, on average over comparands.

    Those that keep neither budget nor box do not count, unless there are no others.
    """
    here = [contest for contest in found if contest.threat_model == threat_model]
    judged = [contest for contest in here if contest.attacks[0].one.bounded] or here
    return min(judged, key=_left)


def headline(worst: Sequence[Contest]) -> list[Contest]:
    """Return the worst cases that say how robust all comparands are; the first leaves the least.

    They perturb the image, if any does, within the least budget that there is: a larger one always
    leaves less. Those that all make who take part anywhere come first.
    """
    on_images = [contest for contest in worst if contest.threat_model in ON_IMAGES] or worst
    judged = [contest for contest in on_images if contest.attacks[0].one.bounded] or on_images
    least = min((contest.epsilon for contest in judged), default=0.0)
    alike = [contest for contest in judged if contest.epsilon - least < 1e-9]
    return sorted(alike, key=lambda contest: (-len(contest.comparands), _left(contest)))


def _left(contest: Contest) -> float:
    """Return robust accuracy, on average over comparands."""
    return float(np.mean([contest.withstood(who).mean() for who in contest.comparands]))


class Pair(NamedTuple):
    """Two comparands of a contest.

    Attributes:
        contest, one, other: who against whom, in what.
        difference: robust accuracy of `other` minus that of `one`, on the same images.
        p: McNemar's p-value, corrected (Holm) for all tests of the comparison.
    """

    contest: Contest
    one: Comparand
    other: Comparand
    difference: Interval
    p: float

    @property
    def is_beyond_noise(self) -> bool:
        """Whether another draw of test images would hardly level the difference."""
        return self.p < SIGNIFICANT

    @property
    def hypothesis(self) -> tuple[object, ...]:
        """What is tested; a worst case over one attack is the same as that attack."""
        attacks = tuple(attack.attack for attack in self.contest.attacks)
        return self.contest.threat_model, attacks, self.contest.epsilon, self.one, self.other

    @property
    def same_cells(self) -> bool:
        """Whether both have the very same cells: a later run reused those of an earlier one."""
        return all(
            attack.cells[self.one].run_id == attack.cells[self.other].run_id
            for attack in self.contest.attacks
        )

    def __str__(self) -> str:
        verdict = f"within the noise of {self.contest.images} test images"
        if self.is_beyond_noise:
            more = "more" if self.difference.value > 0 else "less"
            verdict = f"withstands {more}, beyond the noise of {self.contest.images} test images"
        return (
            f"{self.contest.threat_model}, epsilon {self.contest.budget}: {self.other.short} minus "
            f"{self.one.short}: {signed(self.difference)}, p = {self.p:.2g}: {verdict}"
        )


def signed(difference: Interval) -> str:
    """Return a difference and its interval as text."""
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


def all_pairs(found: Sequence[Contest]) -> list[Pair]:
    """Return every pair of every contest; p-values are corrected for all tests together."""
    sides = [
        (contest, one, other)
        for contest in found
        for one, other in combinations(contest.comparands, 2)
    ]
    raw = [
        Pair(
            contest,
            one,
            other,
            paired_difference(contest.withstood(one), contest.withstood(other)),
            mcnemar(contest.withstood(one), contest.withstood(other)),
        )
        for contest, one, other in sides
    ]
    each = {pair.hypothesis: pair.p for pair in raw}
    corrected = dict(zip(each, holm(list(each.values())), strict=True))
    return [pair._replace(p=corrected[pair.hypothesis]) for pair in raw]


def tests(pairs: Sequence[Pair]) -> int:
    """Return for how many tests the p-values of all pairs are corrected."""
    return len({pair.hypothesis for pair in pairs})


def metrics(pairs: Sequence[Pair]) -> Iterator[tuple[str, float, float]]:
    """Yield name, value and budget of each difference, of its interval and its p-value."""
    for pair in pairs:
        what = f"{pair.contest.threat_model}/{pair.contest.name}/{pair.other.key}-{pair.one.key}"
        for name, value in (
            ("difference", pair.difference.value),
            ("difference_low", pair.difference.low),
            ("difference_high", pair.difference.high),
            ("p_holm", pair.p),
        ):
            yield f"{name}/{what}", value, pair.contest.epsilon
