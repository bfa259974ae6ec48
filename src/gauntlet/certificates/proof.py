"""The contract of every certificate: a function from a `Question` to `Proof`s.

A certificate yields one proof per batch of images, in their order, so that whoever asks can show
how far it is. It cuts the batches itself, and their size changes no proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gauntlet.arrays import Array, Flags, Images, Labels
from gauntlet.defences.defended_model import DefendedModel


class Question(NamedTuple):
    """What a certificate is asked.

    Attributes:
        defended: the whole defence.
        images: `(n, height, width, channels)` in [0, 1].
        labels: true classes `(n,)`.
        epsilons: budgets >= 0 in the certificate's norm, ascending, `(k,)`.
        seed: of its random numbers.
    """

    defended: DefendedModel
    images: Images
    labels: Labels
    epsilons: Sequence[float]
    seed: int


@dataclass(frozen=True)
class Proof:
    """What is proven of some images.

    Attributes:
        proven: at each budget, whether the defence gives the true class to every image within it,
            `(k, n)`. False says nothing.
        findings: further arrays by name, whose last axis is the images. The mean of one is logged
            as `certified/<name>` if the certificate's entry names that metric.
    """

    proven: Flags
    findings: Mapping[str, Array] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many images it speaks of."""
        return int(self.proven.shape[-1])


def joined(proofs: Iterable[Proof]) -> Proof:
    """Return one proof of all images, in order; there is at least one proof."""
    first, *others = proofs
    some = [first, *others]
    findings = {
        name: np.concatenate([proof.findings[name] for proof in some], axis=-1)
        for name in first.findings
    }
    return Proof(np.concatenate([proof.proven for proof in some], axis=-1), findings)


def slices(n: int, size: int) -> Iterator[slice]:
    """Yield the slices of `n` things, `size` at a time."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
