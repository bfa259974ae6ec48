"""The certificate `dual_norm`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gauntlet.certificates.blocks import blocks_of
from gauntlet.certificates.margins import TOLERANCE, differences
from gauntlet.certificates.proof import Proof, Question
from gauntlet.errors import UsageError


def certify(question: Question) -> Iterator[Proof]:
    """Yield what is proven: within epsilon a difference of logits falls by epsilon * |w|_1.

    Raises:
        UsageError: the network is not affine.
    """
    affine, *others = blocks_of(question.defended.graph, question.images)
    if others:
        raise UsageError("--certificates: dual_norm needs no activations; received ReLU.")
    rows = differences(question.labels, affine.offset.size)
    slopes = np.array([affine.adjoint(mine) for mine in rows]).reshape(*rows.shape[:2], -1)
    pixels = question.images.reshape(len(rows), -1)
    margins = np.einsum("njp,np->nj", slopes, pixels) + rows @ affine.offset
    lost = np.abs(slopes).sum(axis=2)
    left = [(margins - epsilon * lost).min(axis=1) > TOLERANCE for epsilon in question.epsilons]
    yield Proof(np.array(left))
