"""A comparison of finished runs: what differs, whether that is noise, and warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.evaluation.outcomes import CountMatrix
from gauntlet.report import chance
from gauntlet.report.comparison.contests import (
    Contest,
    Pair,
    all_pairs,
    contests,
    headline,
    worst_cases,
)
from gauntlet.report.comparison.matching import Comparand, LeftOut, match
from gauntlet.tracking.finished import FinishedRun


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison found.

    Attributes:
        runs: in the order of the tables.
        worst: worst cases over shared attacks, one per threat model: the headline.
        attacks: one per threat model and attack.
        pairs: those of all contests; their p-values are corrected together.
        left_out: cells that are compared with nothing.
    """

    runs: tuple[FinishedRun, ...]
    worst: tuple[Contest, ...]
    attacks: tuple[Contest, ...]
    pairs: tuple[Pair, ...]
    left_out: tuple[LeftOut, ...]

    def pairs_of(self, contest: Contest) -> list[Pair]:
        """Return the pairs of one contest, those with its first comparand first."""
        return [pair for pair in self.pairs if pair.contest is contest]

    def sentences(self) -> Iterator[str]:
        """Yield, per pair and threat model, whether the worst case differs beyond noise."""
        for contest in self.worst:
            yield from map(str, self.pairs_of(contest))

    def verdicts(self) -> list[str]:
        """Return the verdicts of the page's top: pairs of the first comparand in the headline."""
        return [
            str(pair)
            for top in headline(self.worst)[:1]
            for pair in self.pairs_of(top)
            if pair.one is top.comparands[0]
        ]

    def differing(self) -> dict[str, list[str]]:
        """Return each parameter that is not equal in all runs: name -> its value in each run."""
        names = dict.fromkeys(name for run in self.runs for name in run.config)
        values = {name: [run.config.get(name, "") for run in self.runs] for name in names}
        return {name: each for name, each in values.items() if len(set(each)) > 1}

    def warnings(self) -> Iterator[str]:
        """Yield what a reader must know before trusting a difference."""
        yield from _seeds(self.runs)
        yield from chance.warnings(_judged_models(self.attacks))
        yield from _lower_elsewhere(headline(self.worst))
        yield from _compared_with_nothing(self.left_out, self.attacks)
        yield from _unlike_attacks(self.attacks)
        for pair in self.pairs:
            if pair.same_cells and pair.contest in self.worst:
                yield (
                    f"{pair.one.name} and {pair.other.name} have the very same cells under "
                    f"{pair.contest.threat_model}: one measurement, not two"
                )
        for threat_model in dict.fromkeys(contest.threat_model for contest in self.attacks):
            if threat_model not in {contest.threat_model for contest in self.worst}:
                yield (
                    f"no worst case under {threat_model}: not one attack and budget is shared "
                    "by all who were attacked there"
                )
            if threat_model in THREAT_MODELS and not THREAT_MODELS[threat_model].on_images:
                yield (
                    f"`{threat_model}` perturbs outputs of autoencoders, whose scales are free: a "
                    "budget there need not mean the same for two of them"
                )


def _seeds(runs: Sequence[FinishedRun]) -> Iterator[str]:
    yield (
        "one seed stands behind each run: intervals and p-values are over test images; how far "
        "another training would move a number, they do not say"
    )
    alike: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    for run in runs:
        rest = tuple(sorted((k, v) for k, v in run.config.items() if k != "seed"))
        alike.setdefault(rest, {})[run.label] = run.config.get("seed", "")
    for seeds in alike.values():
        if len(set(seeds.values())) > 1:
            yield (
                f"{', '.join(seeds)} differ in no parameter but the seed: what stands between "
                "them is the noise of training"
            )


def _judged_models(found: Sequence[Contest]) -> Iterator[chance.Judged]:
    """Yield every comparand once."""
    cells = {who: contest.attacks[0].cells[who] for contest in found for who in contest.comparands}
    return (chance.Judged(who.name, cell.labels, cell.clean) for who, cell in cells.items())


def _lower_elsewhere(found: Sequence[Contest]) -> Iterator[str]:
    """Warn of comparands for whom another threat model than the headline's is worse."""
    for top in found[:1]:
        for other in found[1:]:
            for who in other.comparands:
                here, there = (
                    float(c.withstood(who).mean()) if who in c.comparands else 1.0
                    for c in (top, other)
                )
                if there < here:
                    yield (
                        f"{who.name} withstands less under {other.threat_model} ({there:.4f}) "
                        f"than under {top.threat_model} ({here:.4f}), which stands on top"
                    )


def _compared_with_nothing(left_out: Sequence[LeftOut], found: Sequence[Contest]) -> Iterator[str]:
    compared = {who for contest in found for who in contest.comparands}
    for who in dict.fromkeys(one.comparand for one in left_out):
        if who not in compared:
            reasons = dict.fromkeys(one.reason for one in left_out if one.comparand is who)
            yield f"{who.name} is compared with nothing: {'; '.join(reasons)}"


def _unlike_attacks(found: Sequence[Contest]) -> Iterator[str]:
    """Warn of attacks whose parameters differ between runs."""
    for attack in dict.fromkeys(contest.name for contest in found):
        runs = {
            who.run.id: who.run.config
            for contest in found
            if contest.name == attack
            for who in contest.comparands
        }
        for name in _parameters(attack):
            values = {config.get(name, "?") for config in runs.values()}
            if len(values) > 1 and "epsilons" not in name:
                yield (
                    f"{attack} was not made alike: {name} is {' or '.join(sorted(values))}; "
                    "a difference may be the attack's"
                )


def compare(
    runs: Sequence[FinishedRun], comparands: Sequence[Comparand], epsilon: float | None
) -> Comparison:
    """Compare what several runs share.

    Args:
        runs: finished, of the same test images.
        comparands: their defences, in the same order.
        epsilon: budget in [0, 1] of all tables; None: the reference budget of each attack.
    """
    shared, left_out = match(comparands, epsilon)
    worst, attacks = worst_cases(shared, epsilon), contests(shared, epsilon)
    pairs = all_pairs([*worst, *attacks])
    return Comparison(tuple(runs), tuple(worst), tuple(attacks), tuple(pairs), tuple(left_out))


def matrix_difference(one: CountMatrix, other: CountMatrix) -> CountMatrix:
    """Return the count matrix `other` minus `one`.

    A last class `rejected` that only one of them has counts 0 in the other.
    """
    larger = max(one, other, key=lambda matrix: len(matrix["counts"])).copy()
    difference = np.zeros_like(larger["counts"], dtype=np.int64)
    for matrix, sign in ((one, -1), (other, 1)):
        counts = np.asarray(matrix["counts"])
        difference[: len(counts), : len(counts)] += sign * counts
    larger["counts"] = difference.tolist()
    return larger


def _parameters(attack: str) -> list[str]:
    """Return the names of what an attack reads; none of one that is not installed here."""
    return [p.name for p in ATTACKS[attack].all_parameters] if attack in ATTACKS else []
