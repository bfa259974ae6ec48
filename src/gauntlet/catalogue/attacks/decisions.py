"""Attacks that see the predicted class alone."""

from __future__ import annotations

from gauntlet.catalogue.attacks.attack import MANY, Attack
from gauntlet.catalogue.parameters import Parameter, Value, integer

HOP_SKIP_JUMP_STEPS = Parameter(
    "hop_skip_jump_steps", integer(1, MANY), 50, "steps of hop_skip_jump_ along the boundary"
)
HOP_SKIP_JUMP_QUERIES = Parameter(
    "hop_skip_jump_queries",
    integer(200, 100_000_000),
    30_000,
    "queries of hop_skip_jump_ per image at most",
)

_HOP_SKIP_JUMP: dict[str, Value] = {
    "source": "Chen et al. 2019, algorithm 2",
    "code": "gauntlet.attacks.hop_skip_jump:HopSkipJump",
    "parameters": {"steps": HOP_SKIP_JUMP_STEPS, "queries": HOP_SKIP_JUMP_QUERIES},
    "needs": "decisions",
    "finds_minimum": True,
    "skips_misclassified": True,
    "random": True,
}

DECISION_ATTACKS = (
    Attack(
        name="hop_skip_jump_l2",
        sentence="walks along the decision boundary by predicted classes alone, small in L2",
        norm="l2",
        fixed={"norm": "l2"},
        **_HOP_SKIP_JUMP,
    ),
    Attack(
        name="hop_skip_jump_linf",
        sentence="walks along the decision boundary by predicted classes alone, small in Linf",
        fixed={"norm": "linf"},
        **_HOP_SKIP_JUMP,
    ),
)
