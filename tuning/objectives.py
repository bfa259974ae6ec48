"""What studies want of their trials, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Objective(NamedTuple):
    """A metric of a trial, and which way is better."""

    name: str
    direction: Literal["minimize", "maximize"]

    @property
    def short(self) -> str:
        """The name without the images that it is measured on."""
        return self.name.removeprefix("validation/")


LOSS, RECONSTRUCTION, CLEAN, ROBUST = (
    "validation/loss",
    "validation/mean_squared_error_at_best_scale",
    "validation/clean_accuracy",
    "validation/robust_accuracy",
)

_LEAST_LOSS = {
    "loss": (Objective(LOSS, "minimize"),),
    "reconstruction": (Objective(RECONSTRUCTION, "minimize"),),
}
_MOST_ROBUST = {"robust_accuracy": (Objective(ROBUST, "maximize"),)}

OBJECTIVES: Mapping[str, Mapping[str, tuple[Objective, ...]]] = {
    "autoencoder": {**_LEAST_LOSS, **_MOST_ROBUST},
    "activations": _LEAST_LOSS,
    "funn": {"auto": (Objective(CLEAN, "maximize"), Objective(ROBUST, "maximize"))},
    "defence": _MOST_ROBUST,
    "attack": {"robust_accuracy": (Objective(ROBUST, "minimize"),)},
}
"""Of each study what `objective` may be, its default first."""
