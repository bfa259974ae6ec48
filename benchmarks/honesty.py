"""How far a stronger attack lowers what `attack` says without a flag, and what `strong` says.

Every defence of the first paper, behind each of its autoencoders, on the same images. The numbers
are differences of robust accuracy, not ratios; the seconds are those of the attacks compared. The
project's store is used, so trained networks and measured cells are reused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from benchmarks.timing import Comparison
from gauntlet.catalogue.attacks import ENSEMBLES
from gauntlet.catalogue.default_attacks import DEFAULT, written_out
from gauntlet.config.attack import AttackConfig
from gauntlet.entry_points import attack
from gauntlet.evaluation.statistics import worst_case
from gauntlet.papers.sivaslioglu2020.plan import CORRUPTION, KINDS
from gauntlet.report.attack.rows import Row

IMAGES, EPSILON = "1000", "0.1"
DEFAULTS = tuple(entry.name for entry in written_out((DEFAULT,), knows_all=True))
STRONG, JUDGE = ENSEMBLES["strong"], "autoattack"


def run() -> Iterator[Comparison]:
    """Compare both with autoattack, on one network after the other."""
    for kind in KINDS:
        own = {"noise": CORRUPTION} if kind == "denoising" else {}
        config = AttackConfig(
            autoencoder=kind,
            attacks=(DEFAULT, *(name for name in (*STRONG, JUDGE) if name not in DEFAULTS)),
            threat_models="white_box",
            epsilons=EPSILON,
            test_size=IMAGES,
            **own,
        )
        for row in attack.run(config).rows:
            who = f"{kind}, {row.defence}"
            below = f"{who}: {JUDGE} lowers the headline"
            yield _difference(below, row, DEFAULTS, (*DEFAULTS, JUDGE), "<= 0.01")
            yield _difference(
                f"{who}: strong leaves more than {JUDGE}", row, STRONG, (JUDGE,), "<= 0"
            )


def _difference(
    name: str, row: Row, some: Collection[str], others: Collection[str], wanted: str
) -> Comparison:
    """Return how much more some attacks leave than others, each in the worst case per image."""
    left, lower = _left(row, some), _left(row, others)
    named = f"{name}: {left:.4f}, {lower:.4f}"
    return Comparison(named, [left - lower], wanted, (_seconds(row, some), _seconds(row, others)))


def _left(row: Row, attacks: Collection[str]) -> float:
    cells = [cell for cell in row.cells if cell.attack in attacks]
    return float(worst_case([cell.correct[row.reference] for cell in cells]).mean())


def _seconds(row: Row, attacks: Collection[str]) -> float:
    return sum(c.cost.seconds for c in row.cells if c.attack in attacks and c.cost is not None)
