"""Which steps an edit recomputes: every kind of step, with the fingerprint the pipeline gives it.

`python tests/recomputing.py` prints the table as Markdown.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.autoencoders import AUTOENCODERS
from gauntlet.catalogue.certificates import CERTIFICATES
from gauntlet.catalogue.classifiers import BEHIND_AUTOENCODER, CLASSIFIERS
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.cells.plan import plan_cells, plan_certifications
from gauntlet.config.attack import AttackConfig
from gauntlet.config.training import AutoencoderConfig, ClassifierConfig
from gauntlet.data.dataset import Dataset
from gauntlet.pipeline import cells, trainings
from gauntlet.pipeline.networks import ensure_networks
from gauntlet.pipeline.reuse import Reuse
from gauntlet.tracking import provenance, step_cache
from gauntlet.tracking.artifacts import StoredModel
from gauntlet.tracking.step_cache import Fingerprint

SOURCE = Path(provenance.PACKAGE)


class Step(NamedTuple):
    """Something that the cache keeps.

    Attributes:
        kind: `training`, `examination`, `cell` or `certification`.
        name: of the autoencoder, the classifier, the attack or the certificate.
        inputs: what a classifier learns from; empty for an autoencoder.
        defence: of a cell or a certification.
        threat_model: of a cell.
    """

    kind: str
    name: str
    inputs: str = ""
    defence: str = ""
    threat_model: str = ""


@functools.cache
def steps() -> Mapping[Step, Fingerprint]:
    """Return every step that the catalogue knows: nothing is computed, and no store is asked.

    A classifier on output or features stands behind the first autoencoder.
    """
    found: dict[Step, Fingerprint] = {}
    with pytest.MonkeyPatch.context() as patch:
        asked: list[Fingerprint] = []

        def ask(reuse: Reuse, fingerprint: Fingerprint, compute: Any) -> SimpleNamespace:
            asked.append(fingerprint)
            return SimpleNamespace(id="0" * 32)

        patch.setattr(Reuse, "reuse_or_compute", ask)
        patch.setattr(trainings, "stored_model", lambda run: StoredModel(run.id, "m", "f", "w"))
        for step in _trainings(_data()):
            training, examination = asked
            found[step] = training
            found[step._replace(kind="examination")] = examination
            asked.clear()
        found |= _cells(_data())
        found |= _certifications(_data())
    return found


def _data() -> Dataset:
    images, labels = np.zeros((4, 2, 2, 1), np.float32), np.arange(4, dtype=np.int64)
    return Dataset("data", images, labels, images.copy(), labels.copy(), 4)


def _trainings(data: Dataset) -> Iterator[Step]:
    """Ask for every training, and for its examination; yield which it is."""
    networks = {}
    for name in AUTOENCODERS:
        config = AutoencoderConfig(autoencoder=name)
        networks[name] = trainings.ensure_autoencoder(config.autoencoder(), data)
        yield Step("training", name)
    for name, entry in CLASSIFIERS.items():
        for inputs in entry.inputs:
            config = ClassifierConfig(classifier=entry.typed, train_on=inputs)
            behind = inputs in BEHIND_AUTOENCODER
            before = networks[config["autoencoder"]] if behind else None
            trainings.ensure_classifier(config.training, inputs, data, before)
            yield Step("training", name, inputs)


def _cells(data: Dataset) -> dict[Step, Fingerprint]:
    config = AttackConfig(
        attacks=tuple(ATTACKS), defence=tuple(DEFENCES), threat_models="all", validation_size=1
    )
    networks, of = ensure_networks(config, data), cells.fingerprint_of
    return {
        Step("cell", c.attack.name, "", c.defence.name, c.threat_model.name): of(c, data, networks)
        for c in plan_cells(config)
    }


def _certifications(data: Dataset) -> dict[Step, Fingerprint]:
    """Return every certificate on every defence that suits it, behind ReLU alone."""
    linear = {f"{name}activation": "relu" for name in ("", "pre_output_", "output_")}
    config = AttackConfig(
        certificates=tuple(CERTIFICATES), defence=tuple(DEFENCES), validation_size=1, **linear
    )
    networks, of = ensure_networks(config, data), cells.fingerprint_of
    return {
        Step("certification", c.certificate.name, "", c.defence.name): of(c, data, networks)
        for c in plan_certifications(config)
    }


def modules() -> list[str]:
    """Return the modules of the package, without packages' own files."""
    files = (file for file in sorted(SOURCE.rglob("*.py")) if file.stem != "__init__")
    return [".".join(file.relative_to(SOURCE).with_suffix("").parts) for file in files]


def computes(module: str) -> bool:
    """Tell whether a module lies in a room that computes."""
    return module.split(".")[0] in provenance.COMPUTING


class Package:
    """A copy of the package in which modules are edited, and of which digests are taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = shutil.copytree(SOURCE, folder / SOURCE.name)
        self._file = functools.cache(provenance._source_file)
        self._before = self._digests()

    def _digests(self) -> dict[Step, str]:
        """Return the digest of one of the steps of the same modules, for each step, as of now."""
        ones = {fingerprint.computed_by: fingerprint for fingerprint in steps().values()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(provenance, "PACKAGE", self.folder)
            patch.setattr(provenance, "_source_file", self._file)  # no file comes or goes
            read = functools.cache(provenance.source_digests.__wrapped__)
            patch.setattr(step_cache, "source_digests", lambda *names: read(*dict.fromkeys(names)))
            digests = {modules: dataclasses.replace(f).digest for modules, f in ones.items()}
        return {step: digests[fingerprint.computed_by] for step, fingerprint in steps().items()}

    @contextmanager
    def edited(self, module: str) -> Iterator[None]:
        """Put a statement below a module; take it out. A digest is of the whole file."""
        path = self.folder.joinpath(*module.split(".")).with_suffix(".py")
        text = path.read_text()
        path.write_text(f"{text}pass\n")
        try:
            yield
        finally:
            path.write_text(text)

    def recomputed(self) -> set[Step]:
        """Return the steps whose digest is another one than at first."""
        now = self._digests()
        return {step for step, digest in now.items() if digest != self._before[step]}


def table(package: Package) -> dict[str, set[Step]]:
    """Return what an edit of each computing module recomputes."""
    found = {}
    for module in filter(computes, modules()):
        with package.edited(module):
            found[module] = package.recomputed()
    return found


def as_markdown(found: Mapping[str, set[Step]]) -> str:
    """Return a table of modules and of what an edit of each recomputes."""
    lines = [
        "| edited | trainings | examinations | certifications | cells |",
        "|---|---|---|---|---|",
    ]
    for module, some in found.items():
        networks = [_networks(kind, some) for kind in ("training", "examination")]
        kinds = (*networks, _certificates(some), _attacks(some))
        lines.append(f"| `{module}` | {' | '.join(kinds)} |")
    return "\n".join(lines) + "\n"


def _networks(kind: str, some: set[Step]) -> str:
    every = [step for step in steps() if step.kind == kind]
    if some.issuperset(every):
        return "all"
    return ", ".join(f"{s.name} on {s.inputs}" if s.inputs else s.name for s in every if s in some)


def _certificates(some: set[Step]) -> str:
    every = [step for step in steps() if step.kind == "certification"]
    if some.issuperset(every):
        return "all"
    return ", ".join(f"{s.name} on {s.defence}" for s in every if s in some)


def _attacks(some: set[Step]) -> str:
    """Name cells by their attacks, or by their defences where every attack is among them."""
    every = [step for step in steps() if step.kind == "cell"]
    if some.issuperset(every):
        return "all"
    mine = [step for step in every if step in some]
    attacks = dict.fromkeys(step.name for step in mine)
    if len(attacks) < len(ATTACKS):
        return ", ".join(attacks)
    return "on " + ", ".join(dict.fromkeys(step.defence for step in mine))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(as_markdown(table(Package(Path(folder)))), end="")  # noqa: T201
