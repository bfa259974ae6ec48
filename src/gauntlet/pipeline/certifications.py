"""Certifications in the store: reused, or computed in a run of their own, and read back."""

from __future__ import annotations

from functools import partial

import numpy as np

from gauntlet.cells.certified import Certified
from gauntlet.cells.plan import Certification, plan_certifications
from gauntlet.config.attack import AttackConfig
from gauntlet.data.dataset import Dataset
from gauntlet.pipeline.cells import EXPERIMENT, assembled, fingerprint_of
from gauntlet.pipeline.console import progress
from gauntlet.pipeline.networks import Networks, input_tags
from gauntlet.pipeline.reuse import Reuse
from gauntlet.tracking import names
from gauntlet.tracking.finished import SealedRun
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.step_cache import Fingerprint

PROOFS, FINDING = "proofs.npz", "finding/"


def run_certifications(
    config: AttackConfig, data: Dataset, networks: Networks, parent: TrackedRun
) -> list[Certified]:
    """Return what every certificate of a config proves of the test images of `data`.

    Args:
        config: which certificates on which defences.
        data: its test images are certified.
        networks: see `ensure_networks`.
        parent: run whose children the certifications' runs are.
    """
    reuse, found = Reuse(), []
    for what in plan_certifications(config):
        fingerprint = fingerprint_of(what, data, networks)
        compute = partial(_run, config, what, data, networks, fingerprint, parent)
        found.append(read_certified(reuse.reuse_or_compute(fingerprint, compute), what))
    return found


def read_certified(run: SealedRun, what: Certification) -> Certified:
    """Return what a finished certification proved, example by example.

    Raises:
        DamagedRunError: its proofs are missing, or not those that it logged.
    """
    arrays = run.arrays(PROOFS)
    return Certified(
        defence=what.defence.name,
        certificate=what.certificate.name,
        unit=what.certificate.entry.budgets.unit,
        epsilons=tuple(map(float, arrays["epsilons"])),
        labels=arrays["labels"],
        proven=arrays["proven"],
        findings={k.removeprefix(FINDING): v for k, v in arrays.items() if k.startswith(FINDING)},
        run_id=run.id,
    )


def _run(
    config: AttackConfig,
    what: Certification,
    data: Dataset,
    networks: Networks,
    fingerprint: Fingerprint,
    parent: TrackedRun,
) -> None:
    """Certify in a run of its own, a child of the attack run."""
    from gauntlet.cells.certify import certified_metrics, certify
    from gauntlet.training.runtime import configure_tensorflow

    used = {part: networks[part] for part in what.parts}
    about = {names.DEFENCE: what.defence.name, names.CERTIFICATE: what.certificate.name}
    device = {names.DEVICE: configure_tensorflow()}
    tags = {**fingerprint.tags, **input_tags(used), **about, **device}
    parts = {"defence": what.defence.name, "certificate": what.certificate.name}
    opened = tracked_run(
        EXPERIMENT,
        what.name,
        config.as_json(),
        tags=tags,
        params={f"certification/{name}": value for name, value in parts.items()},
        parent=parent,
    )
    images = len(data.x_test)
    with opened as run, progress(f"certifying by {what.certificate.name}", images) as advance:
        run.uses_data(data.name, data.test_sha256, images, "evaluation")
        run.uses_models(network.stored.model_id for network in used.values())
        defended = assembled(what, networks, data)
        found = certify(what, defended, data.x_test, data.y_test, partial(advance, ""))
        for name, value, step in certified_metrics(what, found):
            run.metrics([(name, value)], step)
        _record(run, found)


def _record(run: TrackedRun, found: Certified) -> None:
    findings = {f"{FINDING}{name}": array for name, array in found.findings.items()}
    epsilons = np.asarray(found.epsilons)
    run.arrays(PROOFS, epsilons=epsilons, labels=found.labels, proven=found.proven, **findings)
