"""Contests of comparands under a shared attack: who withstands more, and is it noise?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.catalogue.threat_models import on_images
from gauntlet.catalogue.units import Unit
from gauntlet.evaluation.quantities import CLEAN_ACCURACY
from gauntlet.evaluation.statistics import (
    SIGNIFICANT,
    Interval,
    holm,
    mcnemar,
    paired_difference,
    worst_case,
)
from gauntlet.report.comparison.matching import Comparand, Shared, common_budgets, reference

WORST_CASE = "worst_case"
"""Name in place of an attack's: an image is lost if any of the shared attacks succeeds.

The name of another norm than Linf ends with it, for budgets of different norms do not compare.
"""


@dataclass(frozen=True, eq=False)
class Contest:
    """One table of a comparison: all comparands under one attack, or under the worst case.

    Attributes:
        threat_model: of all its attacks.
        name: of the attack, or `worst_case`, or `worst_case_l2`.
        attacks: the attack, or all attacks of the worst case; all have the same comparands.
        epsilon: budget of the table, of pixels in [0, 1].
    """

    threat_model: str
    name: str
    attacks: tuple[Shared, ...]
    epsilon: float

    @property
    def title(self) -> str:
        """The heading of its section."""
        worst = self.name.startswith(WORST_CASE)
        name = f"worst case{self.unit.norm.within}" if worst else self.name
        return f"{name} under {self.threat_model}"

    @property
    def unit(self) -> Unit:
        """The unit of its budgets."""
        return self.attacks[0].unit

    @property
    def budget(self) -> str:
        """The budget of the table as text, in the attack's own unit."""
        return self.unit.shown(self.epsilon)

    @property
    def images(self) -> int:
        """How many test images were attacked."""
        return len(self.attacks[0].one.labels)

    @property
    def comparands(self) -> tuple[Comparand, ...]:
        """Who takes part; the first is the one that the others are compared with."""
        return tuple(self.attacks[0].cells)

    def withstood(self, comparand: Comparand, epsilon: float | None = None) -> NDArray[np.bool_]:
        """Return which images `(n,)` withstand all attacks, at `epsilon` or the table's budget."""
        at = self.epsilon if epsilon is None else epsilon
        return worst_case(
            [attack.cells[comparand].correct[attack.index(at)] for attack in self.attacks]
        )

    def clean(self, comparand: Comparand) -> Interval:
        """Return accuracy without attack; a rejected image is an error."""
        return CLEAN_ACCURACY.measure(self.attacks[0].cells[comparand].at(-1))

    def curve(self, comparand: Comparand) -> tuple[list[float], list[float]]:
        """Return the budgets that all attacks share, and robust accuracy at each."""
        common = common_budgets(self.attacks)
        return common, [float(self.withstood(comparand, e).mean()) for e in common]


def contests(shared: Sequence[Shared], epsilon: float | None) -> list[Contest]:
    """Return one contest per attack and threat model, at `epsilon` or the reference budget."""
    found = []
    for attack in shared:
        at = reference([attack]) if epsilon is None else epsilon
        if at is not None:
            found.append(Contest(attack.threat_model, attack.attack, (attack,), at))
    return found


def worst_cases(shared: Sequence[Shared], epsilon: float | None) -> list[Contest]:
    """Return one contest per threat model and norm, over the attacks that all comparands share.

    Attacks that keep neither budget nor box do not count, unless there are no others. A threat
    model is left out if its comparands share no attack or no budget.
    """
    found = []
    for where in dict.fromkeys((attack.threat_model, attack.unit.norm) for attack in shared):
        here = [attack for attack in shared if (attack.threat_model, attack.unit.norm) == where]
        judged = [attack for attack in here if attack.one.keeps_budget] or here
        everybody = {comparand for attack in judged for comparand in attack.cells}
        attacks = tuple(attack for attack in judged if set(attack.cells) == everybody)
        at = reference(attacks) if attacks and epsilon is None else epsilon
        if attacks and at is not None:
            found.append(Contest(where[0], f"{WORST_CASE}{here[0].unit.norm.suffix}", attacks, at))
    return found


def strongest(found: Sequence[Contest], threat_model: str) -> Contest:
    """Return the attack with the least robust accuracy, averaged over comparands.

    Attacks that keep neither budget nor box do not count, unless there are no others; nor do those
    with budgets of another norm than the first.
    """
    here = [contest for contest in found if contest.threat_model == threat_model]
    judged = [contest for contest in here if contest.attacks[0].one.keeps_budget] or here
    return min((c for c in judged if c.unit.norm is judged[0].unit.norm), key=_left)


def headline(worst: Sequence[Contest]) -> list[Contest]:
    """Return the worst cases that tell how robust the comparands are, the page's headline first.

    Only threat models that perturb the image count, if there are any, and only budgets of one norm,
    that of the first contest. Of these the smallest counts alone, because a larger one always
    leaves less. Contests with more comparands come first; of equals, the one that leaves less.
    """
    allowed = on_images()
    there = [contest for contest in worst if contest.threat_model in allowed] or worst
    judged = [contest for contest in there if contest.attacks[0].one.keeps_budget] or there
    judged = [contest for contest in judged if contest.unit.norm is judged[0].unit.norm]
    least = min((contest.epsilon for contest in judged), default=0.0)
    alike = [contest for contest in judged if contest.epsilon - least < 1e-9]
    return sorted(alike, key=lambda contest: (-len(contest.comparands), _left(contest)))


def _left(contest: Contest) -> float:
    """Return robust accuracy, on average over comparands."""
    return float(np.mean([contest.withstood(who).mean() for who in contest.comparands]))


class Pair(NamedTuple):
    """Two comparands of a contest.

    Attributes:
        contest: where they meet.
        one, other: the comparands.
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
        """Whether the difference is significant over draws of test images."""
        return self.p < SIGNIFICANT

    @property
    def hypothesis(self) -> tuple[object, ...]:
        """Identifies the test: a worst case over one attack is the same test as that attack."""
        attacks = tuple(attack.attack for attack in self.contest.attacks)
        return self.contest.threat_model, attacks, self.contest.epsilon, self.one, self.other

    @property
    def same_cells(self) -> bool:
        """Whether both have the same cells, because a later run reused those of an earlier one."""
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
    """Return every pair of every contest; all p-values are corrected together (Holm)."""
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
    """Return the number of tests that the p-values are corrected for."""
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
