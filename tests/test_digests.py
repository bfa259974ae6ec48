"""Every function that can change a number is in the digest of the step that it computes."""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from servers import tracking_to

from gauntlet.steps import attack, autoencoder, cells, classifier
from gauntlet.steps.cell_runner import CellRunner
from gauntlet.tracking import provenance
from gauntlet.tracking.step_cache import Fingerprint

SOURCE = Path(provenance.PACKAGE)

COMPUTED_BY = {
    "autoencoder": autoencoder.COMPUTED_BY,
    "classifier": (*classifier.COMPUTED_BY, *classifier.LEARNS_FROM),
    "cell": cells.COMPUTED_BY,
}

STEPS = {
    "attacks": ("cell",),
    "autoencoders": ("autoencoder", "classifier"),
    "autoencoders.encoder": ("autoencoder", "classifier", "cell"),
    "autoencoders.layers": ("autoencoder", "classifier", "cell"),
    "checkpoint": ("autoencoder", "classifier"),
    "classifiers": ("classifier",),
    "config.attack": ("cell",),
    "config.base": ("autoencoder", "classifier", "cell"),
    "config.defence": ("cell",),
    "config.models": ("autoencoder", "classifier", "cell"),
    "config.published": ("autoencoder", "classifier", "cell"),
    "config.tables": ("cell",),
    "data": ("autoencoder", "classifier", "cell"),
    "defences": ("cell",),
    "evaluation.metrics": ("autoencoder", "classifier", "cell"),
    "evaluation.outcomes": ("autoencoder", "classifier", "cell"),
    "evaluation.quantities": ("autoencoder", "classifier", "cell"),
    "evaluation.quantity": ("autoencoder", "classifier", "cell"),
    "evaluation.statistics": ("autoencoder", "classifier", "cell"),
    "networks": ("autoencoder", "classifier", "cell"),
    "runtime": ("autoencoder", "classifier", "cell"),
    "seeding": ("autoencoder", "classifier", "cell"),
    "steps.autoencoder": ("autoencoder",),
    "steps.cell_runner": ("cell",),
    "steps.cells": ("cell",),
    "steps.classifier": ("classifier",),
    "steps.defended": ("cell",),
    "steps.inputs": ("autoencoder", "classifier", "cell"),
}
"""Modules, or all of a package, and the steps that they compute; the longest name counts."""

OTHERS = (
    "__main__",
    "errors",
    "interruption",
    "masking",
    "output",
    "private_files",
    "report",
    "tracking",
    # They draw.
    "evaluation.figures",
    "evaluation.latent_figures",
    "evaluation.pictures",
    # They say which cells and trainings there are; what those read is in their fingerprints.
    "config.compare",
    "config.entry_points",
    "config.objectives",
    "config.plan",
    "config.reproduce",
    "config.searched",
    "config.sivaslioglu2020",
    "config.spaces",
    "config.storage",
    "config.tune",
    "config.vigouroux2018",
    "steps.attack",
    "steps.matrix",
    "steps.reproduce",
    "steps.reuse",
    # They show, remember and read back.
    "steps.compare",
    "steps.compared_runs",
    "steps.console",
    "steps.finished_cells",
    "steps.session",
    "steps.training_run",
)
"""Modules that change no number of a step."""


def _longest(name: str, table: Any) -> str | None:
    """The longest entry that is this module or a package that it lies in."""
    parts = name.split(".")
    names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((each for each in names if each in table), None)


def _modules() -> Iterator[str]:
    for file in sorted(SOURCE.rglob("*.py")):
        if file.stem != "__init__":
            yield ".".join(file.relative_to(SOURCE).with_suffix("").parts)


def _functions(text: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A copy of the package, of which digests are taken."""
    copy = shutil.copytree(SOURCE, tmp_path / "gauntlet")
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    return copy


def _digests(*steps: str) -> dict[str, dict[str, str]]:
    digest = provenance.source_digests.__wrapped__
    return {step: digest(*COMPUTED_BY[step]) for step in steps or COMPUTED_BY}


@pytest.mark.parametrize("module", [m for m in _modules() if not _longest(m, OTHERS)])
def test_edit_of_each_function_changes_the_digests_of_its_steps(package, module) -> None:
    """Mutation: a new statement in each function, alone."""
    file = package.joinpath(*module.split(".")).with_suffix(".py")
    text, steps = file.read_text(), STEPS[_longest(module, STEPS) or ""]
    before = _digests(*steps)
    for function in _functions(text):
        lines = text.splitlines(keepends=True)
        lines.insert(function.body[0].lineno - 1, " " * function.body[0].col_offset + "pass\n")
        file.write_text("".join(lines))
        after = _digests(*steps)
        assert all(before[step] != after[step] for step in steps), function.name


def test_edit_of_what_computes_nothing_changes_no_digest(package) -> None:
    before = _digests()
    for module in filter(lambda m: _longest(m, OTHERS), _modules()):
        with package.joinpath(*module.split(".")).with_suffix(".py").open("a") as file:
            file.write("# edited\n")
    assert _digests() == before


@contextlib.contextmanager
def _watched(called: set[str]) -> Iterator[None]:
    """Note the modules of the project whose functions are called."""

    def note(frame: FrameType, event: str, argument: object) -> None:
        if frame.f_code.co_filename.startswith(f"{SOURCE}{os.sep}"):
            called.add(frame.f_globals["__name__"].removeprefix("gauntlet."))

    before = sys.gettrace()
    sys.settrace(note)
    try:
        yield
    finally:
        sys.settrace(before)


def _watching(called: set[str], function: Any) -> Any:
    def run(*args: Any, **options: Any) -> Any:
        with _watched(called):
            return function(*args, **options)

    return run


@pytest.mark.slow
def test_whatever_runs_while_a_step_computes_is_in_its_digest(
    new_store, tiny, tmp_path, monkeypatch
) -> None:
    called: dict[str, set[str]] = {step: set() for step in COMPUTED_BY}
    for module, step in ((autoencoder, "autoencoder"), (classifier, "classifier")):
        monkeypatch.setattr(module, "_train", _watching(called[step], module._train))
    monkeypatch.setattr(CellRunner, "run", _watching(called["cell"], CellRunner.run))
    monkeypatch.setattr(attack, "plan_cells", _watching(called["cell"], attack.plan_cells))
    with tracking_to(new_store(), tmp_path):
        for values in (
            {"attacks": "apgd_ce,fgsm", "defence": "encoded", "threat_models": "encoded"},
            {"attacks": "fgsm", "defence": "magnet", "threat_models": "white_box"},
        ):
            attack.run(tiny("attack", **values, epochs="2", validation_size="50"))
    for step, modules in called.items():
        seen = {name.removeprefix("gauntlet.") for name in _digests()[step]}
        recording = {name for name in modules - seen if _longest(name, RECORDING)}
        assert modules - recording <= seen, step


RECORDING = {*OTHERS, "checkpoint", "report"}
"""Modules that run while a step computes, and only draw, show or remember."""


def test_environment_that_changes_arithmetic_is_in_the_fingerprint(monkeypatch) -> None:
    def digest() -> str:
        return Fingerprint("cell", "any", {}, {}, ()).digest

    before = digest()
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert digest() != before
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    assert digest() == before
