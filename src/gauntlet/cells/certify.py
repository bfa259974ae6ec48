"""The one way to a certified number: ask a certificate about every image, and count.

As `measure` does, it logs, draws and prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gauntlet.arrays import Images, Labels
from gauntlet.catalogue.units import metric_step
from gauntlet.cells.certified import Certified
from gauntlet.cells.plan import Certification
from gauntlet.certificates.proof import Proof, Question, joined
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.seeding import child_seed


def certify(
    what: Certification,
    defended: DefendedModel,
    images: Images,
    labels: Labels,
    report: Callable[[int], None],
) -> Certified:
    """Return what a certificate proves of a defence, at every budget.

    Args:
        what: the certificate and its parameters.
        defended: the assembled defence.
        images: `(n, height, width, channels)` in [0, 1].
        labels: true classes `(n,)`.
        report: told how many more images are done.

    Raises:
        UsageError: the defence has something that the certificate cannot take.
    """
    seed = child_seed(what.seed, "certificate", what.certificate.name)
    asked = what.certificate.create(Question(defended, images, labels, what.epsilons, seed))
    found = joined(_reported(asked, report))
    return Certified(
        defence=what.defence.name,
        certificate=what.certificate.name,
        unit=what.certificate.entry.budgets.unit,
        epsilons=what.epsilons,
        labels=labels,
        proven=found.proven,
        findings=found.findings,
    )


def _reported(proofs: Iterator[Proof], report: Callable[[int], None]) -> Iterator[Proof]:
    for proof in proofs:
        report(proof.size)
        yield proof


def certified_metrics(what: Certification, found: Certified) -> Iterator[tuple[str, float, int]]:
    """Yield what is logged, as name, value, step: certified accuracy, means of named findings."""
    for epsilon, accuracy in found.accuracies:
        for end, value in zip(("", "_low", "_high"), accuracy, strict=True):
            yield f"certified/accuracy{end}", value, metric_step(epsilon)
    named = {name.pattern for name in what.certificate.entry.metrics}
    for name, array in found.findings.items():
        if f"certified/{name}" in named:
            yield f"certified/{name}", float(np.mean(array)), 0
