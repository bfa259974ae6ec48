"""Values of parameters that several tests change."""

from __future__ import annotations

OTHER_VALUES = {
    "target": 3,
    "steps": 7,
    "rel_step": 0.3,
    "restarts": 9,
    "decay": 0.4,
    "pgd_loss": "dlr",
    "apgd_steps": 7,
    "apgd_restarts": 3,
    "square_queries": 9,
    "spsa_steps": 7,
    "spsa_samples": 9,
    "deepfool_variant": "paper",
    "deepfool_steps": 7,
    "cw_steps": 9,
    "cw_searches": 2,
    "cw_rate": 0.3,
    "cw_confidence": 2.0,
    "max_pixels": 9,
    "local_search_rounds": 9,
    "local_search_selection": "lowest",
    "lr_variant": "sign",
    "lr_target": 2,
    "lr_targets_at": 40.0,
    "lr_clip": True,
}
"""Another value than the default for each parameter that only attacks read."""

REQUIRED = {"compare": {"runs": f"{'a' * 32},{'b' * 32}"}}
"""Entry point -> what has no default."""
