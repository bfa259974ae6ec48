"""The attacks, one module per family."""

from __future__ import annotations

from collections.abc import Mapping

from gauntlet.catalogue.attacks.adaptive import ADAPTIVE_ATTACKS
from gauntlet.catalogue.attacks.attack import (
    DLR_CLASSES,
    EPSILONS,
    GREY_EPSILONS,
    L2_EPSILONS,
    TARGETED_DLR_CLASSES,
    Attack,
    Need,
    Ratio,
    epsilons_of,
    ratio_of,
    target_of,
)
from gauntlet.catalogue.attacks.auto_attack import AUTO_ATTACKS
from gauntlet.catalogue.attacks.auto_pgd import AUTO_PGD_ATTACKS
from gauntlet.catalogue.attacks.decisions import DECISION_ATTACKS
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
    "L2_EPSILONS",
    "TARGETED_DLR_CLASSES",
    "Attack",
    "Need",
    "Ratio",
    "epsilons_of",
    "ratio_of",
    "target_of",
]

ATTACKS = Catalogue(
    Attack,
    "attack",
    (
        *GRADIENT_ATTACKS,
        *AUTO_PGD_ATTACKS,
        *AUTO_ATTACKS,
        *SCORE_ATTACKS,
        *MINIMUM_NORM_ATTACKS,
        *ADAPTIVE_ATTACKS,
        *DECISION_ATTACKS,
        *LINEAR_ATTACKS,
    ),
)

ENSEMBLES: Mapping[str, tuple[str, ...]] = {
    "strong": ("apgd_ce", "apgd_t", "multi_targeted", "square"),
    "strong_l2": ("pgd_l2", "apgd_ce_l2", "apgd_t_l2", "square_l2"),
}
"""Names for several attacks at once; their worst case per image is the ensemble's verdict."""
