"""From an attack's name to the attack that a config describes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gauntlet.attacks.auto_pgd import AutoPGD
from gauntlet.attacks.base import Attack
from gauntlet.attacks.carlini_wagner import CarliniWagnerL2
from gauntlet.attacks.deepfool import DeepFool
from gauntlet.attacks.iterative import BIM, MIM, PGD
from gauntlet.attacks.local_search import LocalSearch
from gauntlet.attacks.logistic_regression import LogisticRegressionAttack, Rule
from gauntlet.attacks.single_pixel import SinglePixel
from gauntlet.attacks.single_step import FGSM, RandomNoise, TargetedFGSM
from gauntlet.attacks.spsa import SPSA
from gauntlet.attacks.square import Square
from gauntlet.config.attack import AttackConfig


def _logistic_regression(rule: Rule, config: AttackConfig) -> Attack:
    return LogisticRegressionAttack(
        rule, config.lr_variant, config.lr_target, config.lr_targets_at, config.lr_clip
    )


BUILDERS: dict[str, Callable[[AttackConfig], Attack]] = {
    "fgsm": lambda _: FGSM(),
    "t_fgsm": lambda c: TargetedFGSM(c.target),
    "bim": lambda c: BIM(c.steps, c.rel_step),
    "pgd": lambda c: PGD(c.steps, c.rel_step, c.restarts, c.pgd_loss),
    "mim": lambda c: MIM(c.steps, c.rel_step, c.decay),
    "noise": lambda _: RandomNoise(),
    "apgd_ce": lambda c: AutoPGD("cross_entropy", c.apgd_steps, c.apgd_restarts),
    "apgd_dlr": lambda c: AutoPGD("dlr", c.apgd_steps, c.apgd_restarts),
    "square": lambda c: Square(c.square_queries),
    "spsa": lambda c: SPSA(c.spsa_steps, c.spsa_samples),
    "deepfool_l2": lambda c: DeepFool("l2", c.deepfool_variant, c.deepfool_steps),
    "deepfool_linf": lambda c: DeepFool("linf", c.deepfool_variant, c.deepfool_steps),
    "cw_l2": lambda c: CarliniWagnerL2(c.cw_steps, c.cw_searches, c.cw_rate, c.cw_confidence),
    "single_pixel": lambda c: SinglePixel(c.max_pixels),
    "local_search": lambda c: LocalSearch(c.local_search_rounds, c.local_search_selection),
    "lr_non_targeted": partial(_logistic_regression, "non_targeted"),
    "lr_natural": partial(_logistic_regression, "natural"),
    "lr_non_natural": partial(_logistic_regression, "non_natural"),
    "lr_one_target": partial(_logistic_regression, "one_target"),
}


def build_attack(name: str, config: AttackConfig) -> Attack:
    """Return the attack of this name with the parameters of the config."""
    return BUILDERS[name](config)
