"""Attacks that ask for scores and stay within a budget."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import MANY, WITHIN_L2, Attack
from gauntlet.catalogue.parameters import Parameter, integer

SQUARE_QUERIES = Parameter(
    "square_queries", integer(1, 1_000_000), 5000, "queries of square and square_l2"
)
SPSA_STEPS = Parameter("spsa_steps", integer(1, MANY), 100, "iterations of spsa")
SPSA_SAMPLES = Parameter("spsa_samples", integer(1, MANY), 128, "pairs of queries per step of spsa")


SCORE_ATTACKS = (
    Attack(
        name="square",
        sentence="random search that changes squares and keeps what raises the margin",
        source="Andriushchenko et al. 2020",
        code="gauntlet.attacks.square:Square",
        parameters={"queries": SQUARE_QUERIES},
        needs="scores",
        skips_misclassified=True,
        random=True,
    ),
    Attack(
        name="square_l2",
        sentence="random search that moves change between windows, within an L2 budget",
        source="Andriushchenko et al. 2020, algorithm 3",
        code="gauntlet.attacks.square_l2:SquareL2",
        parameters={"queries": SQUARE_QUERIES},
        needs="scores",
        skips_misclassified=True,
        random=True,
        **WITHIN_L2,
    ),
    Attack(
        name="spsa",
        sentence="gradient ascent on gradients estimated from pairs of queries",
        source="Uesato et al. 2018",
        code="gauntlet.attacks.spsa:SPSA",
        parameters={"steps": SPSA_STEPS, "samples": SPSA_SAMPLES},
        needs="scores",
        skips_misclassified=True,
        random=True,
    ),
)
