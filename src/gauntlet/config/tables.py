"""What there is: attacks, defences, threat models, and which of them go together."""

from __future__ import annotations

from gauntlet.config.published import MAGNET

_LR = ("grey_epsilons", "lr_variant", "lr_clip")

READ_BY: dict[str, tuple[str, ...]] = {
    "fgsm": ("epsilons",),
    "t_fgsm": ("epsilons", "target"),
    "bim": ("epsilons", "steps", "rel_step"),
    "pgd": ("epsilons", "steps", "rel_step", "restarts", "pgd_loss"),
    "mim": ("epsilons", "steps", "rel_step", "decay"),
    "noise": ("epsilons",),
    "apgd_ce": ("epsilons", "apgd_steps", "apgd_restarts"),
    "apgd_dlr": ("epsilons", "apgd_steps", "apgd_restarts"),
    "square": ("epsilons", "square_queries"),
    "spsa": ("epsilons", "spsa_steps", "spsa_samples"),
    "deepfool_l2": ("epsilons", "deepfool_variant", "deepfool_steps"),
    "deepfool_linf": ("epsilons", "deepfool_variant", "deepfool_steps"),
    "cw_l2": ("epsilons", "cw_steps", "cw_searches", "cw_rate", "cw_confidence"),
    "single_pixel": ("epsilons", "max_pixels"),
    "local_search": ("epsilons", "local_search_rounds", "local_search_selection"),
    "lr_non_targeted": _LR,
    "lr_natural": (*_LR, "lr_targets_at"),
    "lr_non_natural": (*_LR, "lr_targets_at"),
    "lr_one_target": (*_LR, "lr_target"),
}
"""Every attack, and the parameters that it reads: another value of one means another result."""

ATTACKS = tuple(READ_BY)

STRONG = ("pgd", "apgd_ce", "apgd_dlr", "square")
"""What `attacks=strong` stands for; its worst case over attacks is the ensemble's verdict."""

DLR_CLASSES = 3
"""Classes that the difference of logits ratio needs; of fewer it is the margin."""

MINIMUM_NORM = ("deepfool_l2", "deepfool_linf", "cw_l2", "single_pixel", "local_search")
"""Attacks that look for the nearest adversarial image: one search serves every budget."""

BY_QUERIES = ("square", "spsa", "single_pixel", "local_search")
"""Attacks that follow scores, not gradients: all that the threat model `black_box` allows."""

MADE_OF: dict[str, tuple[str, ...]] = {
    "none": ("raw",),
    "encoded": ("autoencoder", "encoded"),
    "reformer": ("autoencoder", "raw"),
    "features": ("autoencoder", "features"),
    "magnet": (*MAGNET, "raw"),
}
"""The models that each defence is made of: its autoencoders, and last its one classifier."""

DEFENCES = tuple(MADE_OF)
THREAT_MODELS = ("white_box", "gray_box", "transfer", "encoded", "black_box")

ON_IMAGES = tuple(name for name in THREAT_MODELS if name != "encoded")
"""The threat models that perturb the image, not what the autoencoder makes of it."""

APPLIES: dict[str, tuple[str, ...]] = {
    # Without an autoencoder there is nothing to leave out (gray_box) and no output to perturb.
    "none": ("white_box", "transfer", "black_box"),
    "encoded": THREAT_MODELS,
    "reformer": THREAT_MODELS,
    # The classifier sees features only: it cannot be attacked without the encoder.
    "features": ("white_box", "transfer", "black_box"),
    # gray_box is MagNet's own evaluation: the attacker does not know of the defence.
    "magnet": ("white_box", "gray_box", "transfer", "black_box"),
}
"""The threat models that make sense for each defence."""

STOCHASTIC = ("encoded", "reformer")
"""Defences that `stochastic` makes random, unless the perturbation is added behind them."""

DETECTORS = ("l2", "l1", "jsd")

WHOLE_BOX = 1.0
"""The Linf budget that bounds nothing in [0, 1]: at it a minimum-norm attack shows all it found."""


def speaks_grey_levels(attack: str) -> bool:
    """Tell whether an attack is the first paper's, which keeps neither its budget nor the box."""
    return "grey_epsilons" in READ_BY[attack]
