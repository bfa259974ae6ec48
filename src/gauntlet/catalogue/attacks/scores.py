"""Attacks that ask for scores and stay within a budget."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import MANY, Attack
from gauntlet.catalogue.parameters import Parameter, integer

SQUARE_QUERIES = Parameter("square_queries", integer(1, 1_000_000), 5000, "queries of square")
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
