"""The attacks, one module per family."""

from __future__ import annotations

from collections.abc import Mapping

from gauntlet.catalogue.attacks.attack import (
    DLR_CLASSES,
    EPSILONS,
    GREY_EPSILONS,
    Attack,
    Need,
    epsilons_of,
    follows_dlr,
    target_of,
)
from gauntlet.catalogue.attacks.gradients import GRADIENT_ATTACKS
from gauntlet.catalogue.attacks.linear import LINEAR_ATTACKS
from gauntlet.catalogue.attacks.minimum_norm import MINIMUM_NORM_ATTACKS
from gauntlet.catalogue.attacks.scores import SCORE_ATTACKS
from gauntlet.catalogue.components import Catalogue

__all__ = [
    "ATTACKS",
    "DLR_CLASSES",
    "ENSEMBLES",
    "EPSILONS",
    "GREY_EPSILONS",
    "Attack",
    "Need",
    "epsilons_of",
    "follows_dlr",
    "target_of",
]

ATTACKS = Catalogue(
    Attack, "attack", (*GRADIENT_ATTACKS, *SCORE_ATTACKS, *MINIMUM_NORM_ATTACKS, *LINEAR_ATTACKS)
)

ENSEMBLES: Mapping[str, tuple[str, ...]] = {"strong": ("pgd", "apgd_ce", "apgd_dlr", "square")}
"""Names for several attacks at once; their worst case per image is the ensemble's verdict."""
