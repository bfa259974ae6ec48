"""What `default` stands for: the attacks that run where none is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gauntlet.catalogue.attacks import ATTACKS, Attack
from gauntlet.catalogue.threat_models import THREAT_MODELS

DEFAULT = "default"

EVERYWHERE = ("fgsm", "t_fgsm", "bim")
"""The first paper's attacks."""

KNOWING_ALL = "apgd_t_quick"
"""Its loss does not saturate. It is for an attacker who knows all and perturbs the image: nobody
can do more. At an image that withstands it takes all of its gradients; under `encoded` most do."""


def written_out(asked: Iterable[str], knows_all: bool) -> tuple[Attack, ...]:
    """Return the attacks of a list, each once, with what `default` stands for in its place."""
    default = (*EVERYWHERE, KNOWING_ALL) if knows_all else EVERYWHERE
    names = (n for name in asked for n in (default if name == DEFAULT else (name,)))
    return tuple(ATTACKS[name] for name in dict.fromkeys(names))


def described(code: Callable[[str], str] = str) -> str:
    """Return what `default` stands for, in words; `code` marks names."""
    knowing = ", ".join(code(name) for name, entry in THREAT_MODELS.items() if entry.knows_all)
    return f"{', '.join(map(code, EVERYWHERE))}, under {knowing} {code(KNOWING_ALL)} too"
