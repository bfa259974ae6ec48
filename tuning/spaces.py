"""Search spaces as plain data: which parameters a study varies, between which values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import fill
from typing import NamedTuple

from gauntlet.catalogue.autoencoders import ACTIVATIONS, LOSSES
from gauntlet.errors import unknown_name


class Range(NamedTuple):
    """Numbers from low to high, both included; `log`: small ones are tried as often as large."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}{' log' if self.log else ''}"


class Choice(NamedTuple):
    """Values as the command line writes them."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return "|".join(self.values)


Dimension = Range | Choice
Space = Mapping[str, Dimension]

_RATE = Range(1e-4, 1e-2, log=True)
_LOSSES = Choice(LOSSES)
_BY_KIND: Space = {
    "sparsity_weight": Range(1e-6, 1e-2, log=True),
    "noise": Range(0.05, 0.5),
    "latent": Range(2, 64, log=True, whole=True),
}

SPACES: Mapping[str, Space] = {
    "autoencoder": {
        "activation": Choice(("relu", "sigmoid", "tanh", "elu")),
        "pre_output_activation": Choice(("relu", "sigmoid", "tanh", "exponential")),
        "output_activation": Choice(("relu", "sigmoid", "softplus")),
        "widths": Choice(("504,28", "504,64", "256,28", "256,64")),
        "epochs": Range(10, 50, whole=True),
        "loss": _LOSSES,
        "learning_rate": _RATE,
        **_BY_KIND,
    },
    # First paper, figures 5 and 6: its own choice, then one function throughout.
    "activations": {
        name: Choice(ACTIVATIONS)
        for name in ("activation", "pre_output_activation", "output_activation")
    },
    "funn": {
        "gamma": Range(1, 50, log=True),
        "beta": Range(1e-3, 0.06, log=True),
        "defender_init_rate": Range(1e-4, 2e-3, log=True),
        "attacker_init_rate": Range(1e-4, 5e-3, log=True),
        "defender_rate": Range(1e-6, 1e-4, log=True),
        "attacker_rate": Range(1e-6, 1e-4, log=True),
        "attacker_noise": Range(4, 64, log=True, whole=True),
        "features": Range(16, 256, log=True, whole=True),
        "epochs": Range(20, 60, whole=True),
        "init_epochs": Range(3, 15, whole=True),
    },
    "defence": {
        "autoencoder": Choice(("vanilla", "sparse", "denoising", "variational")),
        "defence": Choice(("encoded", "reformer", "features")),
        "loss": _LOSSES,
        **_BY_KIND,
    },
    "attack": {
        "attacks": Choice(("bim", "mim", "pgd", "apgd_ce", "apgd_dlr")),
        # The fewest of the shortest steps still reach the edge: 10 times 0.1 epsilon.
        "steps": Range(10, 100, log=True, whole=True),
        "rel_step": Range(0.1, 1.0, log=True),
        "restarts": Range(1, 5, whole=True),
        "pgd_loss": Choice(("cross_entropy", "margin", "dlr")),
        "decay": Range(0.1, 2.0),
        "apgd_steps": Range(10, 100, log=True, whole=True),
        "apgd_restarts": Range(1, 5, whole=True),
    },
}
"""One space per study. A trial draws only what its own autoencoder or attack reads."""

_PAPERS_CHOICE = ("relu", "exponential", "softplus")
_THROUGHOUT = ("relu", "sigmoid", "tanh", "softsign", "softplus", "elu")

POINTS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "activations": tuple(
        dict(zip(SPACES["activations"], functions, strict=True))
        for functions in (_PAPERS_CHOICE, *((name,) * 3 for name in _THROUGHOUT))
    )
}
"""Studies that try points of their own, all of them, instead of drawing."""


def narrowed(space: Space, text: str, searched: Iterable[str] | None = None) -> Space:
    """Return a space with dimensions replaced, from words such as `gamma=2..20 loss=a|b beta=0.01`.

    A replaced range keeps its scale; what is not named stays. An error names what is `searched`.

    Raises:
        ValueError: a parameter that the study does not search, or a range that is no range.
    """
    dimensions = dict(space)
    for word in text.split():
        name, _, values = word.partition("=")
        if name not in space:
            raise ValueError(unknown_name("dimension", name, searched or space))
        dimensions[name] = _dimension(word, values, space[name])
    return dimensions


def described(spaces: Mapping[str, Space]) -> str:
    """Return a paragraph per space, in the words that `narrowed` reads."""
    return "\n".join(
        fill(
            f"  {study}: " + "  ".join(f"{name}={values}" for name, values in space.items()),
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
            width=100,
        )
        for study, space in spaces.items()
    )


def _dimension(word: str, text: str, default: Dimension) -> Dimension:
    if isinstance(default, Choice) or ".." not in text:
        values = tuple(text.split("|"))
        if not all(values) or len(set(values)) < len(values):
            raise ValueError(f"expected name=value|value, each value once; received {word!r}")
        return Choice(values)
    try:
        low, high = (float(end) for end in text.split(".."))
    except ValueError:
        raise ValueError(f"expected name=low..high; received {word!r}") from None
    if not low < high:
        raise ValueError(f"expected low < high; received {word!r}")
    if default.log and low <= 0:
        raise ValueError(f"expected low > 0 on a logarithmic scale; received {word!r}")
    if default.whole and not (low.is_integer() and high.is_integer()):
        raise ValueError(f"expected whole numbers; received {word!r}")
    return default._replace(low=low, high=high)
