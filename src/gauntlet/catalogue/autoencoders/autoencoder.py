"""What an autoencoder says of itself, and how it is trained by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gauntlet.catalogue.parameters import (
    PRESET,
    Parameter,
    Value,
    Values,
    integer,
    list_of,
    one_of,
    real,
)
from gauntlet.catalogue.trainings import (
    BATCH_SIZE,
    EPOCHS,
    LEARNING_RATE,
    VALIDATION_SIZE,
    Trainable,
)

LOSSES = ("categorical_crossentropy", "mean_squared_error", "binary_crossentropy")
WIDTHS_TYPE = list_of(integer(1, 65536))
LOSS = Parameter("loss", one_of(LOSSES), PRESET, "reconstruction loss")
NOISE = Parameter(
    "noise",
    real(at_least=0, at_most=10),
    PRESET,
    "denoising, magnet_: standard deviation of the training noise; denoising 0 as its paper states",
)


def _never(values: Values) -> bool:
    del values
    return False


@dataclass(frozen=True, kw_only=True, eq=False)
class Autoencoder(Trainable):
    """A kind of autoencoder.

    Attributes:
        presets: what each preset says of its training.
        has_code: it has a layer of features, on which a classifier may stand.
        draws: whether it can draw random numbers at test time, given the parameters' values.
    """

    trainer: str = "gauntlet.autoencoders.training:train"
    examiner: str = "gauntlet.examination.autoencoder:examine"
    presets: Mapping[str, Values]
    has_code: bool = True
    draws: Callable[[Values], bool] = field(default=_never)


# First paper, 4.3 and 6.
_FIRST_PAPER = {
    "epochs": 35,
    "batch_size": 1024,
    "learning_rate": 1e-3,
    "validation_size": 0,
    "loss": "categorical_crossentropy",
    "noise": 0.0,
    "init_epochs": 9,
}


def presets(**published: Value) -> dict[str, dict[str, Value]]:
    """Return what each preset says of a training, from what was published.

    What is not given is as in the first paper; `smoke` has few epochs and small batches.
    """
    paper = {**_FIRST_PAPER, **published}
    held_out = min(paper["validation_size"], 200)
    smoke = {"epochs": 5, "batch_size": 64, "init_epochs": 2, "validation_size": held_out}
    return {"paper": paper, "smoke": {**paper, **smoke}}


ANY_TRAINING = {
    "epochs": EPOCHS,
    "batch_size": BATCH_SIZE,
    "validation_size": VALIDATION_SIZE,
}

PLAIN_TRAINING = {**ANY_TRAINING, "learning_rate": LEARNING_RATE, "loss": LOSS}
