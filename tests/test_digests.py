"""Exactly what an edit recomputes: the steps that the edited code computes, and no other.

`python tests/recomputing.py` prints the whole table.
"""

from __future__ import annotations

import contextlib
import cProfile
import dataclasses
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from recomputing import SOURCE, Package, Step, as_markdown, computes, modules, steps
from servers import tracking_to

from gauntlet.catalogue.attacks import ATTACKS, GREY_EPSILONS, Attack
from gauntlet.catalogue.autoencoders import AUTOENCODERS, Autoencoder
from gauntlet.catalogue.certificates import CERTIFICATES, Certificate
from gauntlet.catalogue.classifiers import BEHIND_AUTOENCODER, CLASSIFIERS, Classifier
from gauntlet.catalogue.components import Component, chosen, module_of
from gauntlet.catalogue.defences import AUTOENCODER, DEFENCES, Defence
from gauntlet.catalogue.threat_models import THREAT_MODELS, ThreatModel
from gauntlet.catalogue.trainings import EPOCHS, Trainable, Training
from gauntlet.cells.plan import Certification, plan_cells
from gauntlet.config.attack import AttackConfig
from gauntlet.config.training import AutoencoderConfig
from gauntlet.entry_points import attack, autoencoder
from gauntlet.pipeline.reuse import Reuse
from gauntlet.tracking import provenance
from gauntlet.tracking.step_cache import RUNTIME, Fingerprint

EVERY = set(steps())
CELLS = {step for step in EVERY if step.kind == "cell"}
CERTIFICATIONS = {step for step in EVERY if step.kind == "certification"}
TRAININGS = {step for step in EVERY if step.kind == "training"}
EXAMINATIONS = {step for step in EVERY if step.kind == "examination"}
OF_CLASSIFIERS = {step for step in EVERY if step.inputs}
BEHIND = {step for step in OF_CLASSIFIERS if step.inputs in BEHIND_AUTOENCODER}
"""Classifiers that learn from an autoencoder's output or features, and their examinations."""


def _of(*names: str) -> set[Step]:
    """Trainings of autoencoders."""
    return {step for step in TRAININGS - OF_CLASSIFIERS if step.name in names}


def _by(*attacks: str) -> set[Step]:
    return {step for step in CELLS if step.name in attacks}


def _proven(*certificates: str) -> set[Step]:
    return {step for step in CERTIFICATIONS if step.name in certificates}


def _on(*defences: str) -> set[Step]:
    return {step for step in CELLS | CERTIFICATIONS if step.defence in defences}


DRAWING = tuple(
    f"evaluation.{name}" for name in ("figures", "latent_figures", "matrix_figures", "pictures")
)
"""Modules of a computing room that draw what was computed."""

SCORING = ("metrics", "outcomes", "quantities", "quantity")
FUNN_EXAMINED = {Step("examination", "funn")}
OF_AUTOENCODERS = EXAMINATIONS - OF_CLASSIFIERS
FROM_LAYERS = {
    name for name, entry in AUTOENCODERS.items() if "gauntlet.autoencoders.layers" in entry.layers
}
PIXEL_QUERIES = ("single_pixel", "local_search")
FMN = ("fmn_l2", "fmn_linf")
FAB = ("fab_t", "fab_t_l2")
BY_DECISIONS = ("hop_skip_jump_l2", "hop_skip_jump_linf")

BY_BOUNDS = _proven("interval", "relaxation")

APGD_T = ("apgd_t", "apgd_t_quick", "apgd_t_l2")
APGD = ("apgd_ce", "apgd_dlr", "apgd_ce_l2", "apgd_dlr_l2", *APGD_T)
AUTO = ("autoattack", "autoattack_l2", "autoattack_rand")
CLIMBING = _by(*APGD, "multi_targeted", *AUTO)
WITH_TARGETS = _by(*APGD_T, "multi_targeted", *AUTO)

SHARED: Mapping[str, set[Step]] = {
    "arrays": EVERY,
    "seeding": EVERY,
    "training.checkpoint": EVERY,
    "training.keras_loops": EVERY,
    "training.outcome": TRAININGS | EXAMINATIONS,
    "training.runtime": EVERY,
    "attacks.active_set": CLIMBING
    | _by("cw_l2", "ddn", "sigma_zero", "spsa", "square", "square_l2", *FMN, *FAB),
    "attacks.adam": _by("cw_l2", "sigma_zero", "spsa"),
    "attacks.adaptive_norm": _by("ddn", *FMN),
    "attacks.base": CELLS,
    "attacks.auto_pgd": WITH_TARGETS,
    "attacks.batch": CELLS,
    "attacks.boundary": _by(*BY_DECISIONS),
    "attacks.boundary_walk": _by(*BY_DECISIONS),
    "attacks.budget": CELLS,
    "attacks.climb": CLIMBING,
    "attacks.climb_steps": CLIMBING,
    "attacks.decisions": _by(*BY_DECISIONS),
    "attacks.dense_start": _by(*PIXEL_QUERIES),
    "attacks.fast_adaptive_boundary": _by(*AUTO),
    "attacks.gradients": CELLS - _by(*PIXEL_QUERIES, *BY_DECISIONS),
    "attacks.norms": CELLS,
    "attacks.minimum_norm": _by(*(name for name, a in ATTACKS.items() if a.finds_minimum), *AUTO),
    "attacks.nearest": _by("ddn", *FMN, *FAB, *AUTO),
    "attacks.pixel_limits": _by("ddn", "sigma_zero", *FMN, *BY_DECISIONS),
    "attacks.pixel_query": _by(*PIXEL_QUERIES),
    "attacks.plane_projection": _by(*FAB, *AUTO),
    "attacks.square": _by("square_l2", *AUTO),
    "attacks.square_l2": _by(*AUTO),
    "attacks.targeted": _by(*AUTO),
    "attacks.targets": WITH_TARGETS | _by(*FAB),
    "attacks.threat_models": CELLS,
    "autoencoders.attacker": _of("funn") | FUNN_EXAMINED,
    "autoencoders.convolutional": FUNN_EXAMINED,  # it builds the attacker's copy
    "autoencoders.encoder": BEHIND | OF_AUTOENCODERS | _on("features"),
    "autoencoders.game": _of("funn"),
    # Keras needs them to read a stored network of them.
    "autoencoders.layers": _of(*FROM_LAYERS, "convolutional", "funn")
    | BEHIND
    | OF_AUTOENCODERS
    | _on("encoded", "reformer", "features", "denoised_smoothing"),
    "autoencoders.training": _of("magnet_1", "magnet_2") | OF_AUTOENCODERS,
    "cells.assemble": CELLS | CERTIFICATIONS,
    "cells.certified": CERTIFICATIONS,
    "cells.certify": CERTIFICATIONS,
    "cells.measure": CELLS,
    "cells.plan": CELLS | CERTIFICATIONS,
    "cells.result": CELLS,
    "certificates.blocks": BY_BOUNDS,
    "certificates.interval": BY_BOUNDS,
    "certificates.margins": BY_BOUNDS,
    "certificates.proof": CERTIFICATIONS,
    "defences.defended_model": CELLS | CERTIFICATIONS,
    "defences.stand_in": CELLS | CERTIFICATIONS,
    "defences.stochastic": CELLS
    | _on("none", "encoded", "reformer", "smoothing", "denoised_smoothing"),
    **{module: set() for module in DRAWING},
    **{f"evaluation.{name}": CELLS | (EXAMINATIONS & OF_CLASSIFIERS) for name in SCORING},
    "evaluation.distances": CELLS,
    "evaluation.statistics": CELLS | CERTIFICATIONS | (EXAMINATIONS & OF_CLASSIFIERS),
    "examination.autoencoder": FUNN_EXAMINED,  # FUNN's examiner goes on from this one
}
"""Module that components share -> what it computes beside the steps whose entries name it."""


def _named(module: str) -> set[Step]:
    """Return the steps of which an entry of the catalogue names this module."""

    def here(*codes: str) -> bool:
        return f"gauntlet.{module}" in map(module_of, codes)

    found = _by(*(name for name, entry in ATTACKS.items() if here(entry.code)))
    found |= _on(*(name for name, entry in DEFENCES.items() if here(entry.code)))
    found |= _proven(*(name for name, entry in CERTIFICATES.items() if here(entry.code)))
    for step in TRAININGS:
        entry = (CLASSIFIERS if step.inputs else AUTOENCODERS)[step.name]
        if here(entry.code, entry.trainer):
            found.add(step)
        if here(entry.examiner):
            found.add(step._replace(kind="examination"))
    return found


def _expected(module: str) -> set[Step]:
    return _named(module) | SHARED.get(module, set())


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Package:
    return Package(tmp_path_factory.mktemp("package"))


COMPUTING = [module for module in modules() if computes(module)]


@pytest.mark.parametrize("module", COMPUTING)
def test_edit_of_a_module_recomputes_exactly_its_steps(package, module) -> None:
    with package.edited(module):
        assert package.recomputed() == _expected(module)


def test_every_module_of_a_computing_room_is_accounted_for() -> None:
    assert [m for m in COMPUTING if m not in DRAWING and not _expected(m)] == []
    assert set(SHARED) <= set(COMPUTING)


@pytest.mark.parametrize(
    ("module", "recomputed"),
    [
        ("attacks.square", _by("square", "square_l2", *AUTO)),
        ("attacks.deepfool", _by("deepfool_l2", "deepfool_linf")),
        ("cells.measure", CELLS),
        ("autoencoders.funn", _of("funn")),
        ("autoencoders.game", _of("funn")),
        ("defences.magnet", _on("magnet")),
        ("examination.autoencoder", OF_AUTOENCODERS),
        ("examination.classifier", EXAMINATIONS & OF_CLASSIFIERS),
    ],
)
def test_the_manual_s_promises(package, module, recomputed) -> None:
    with package.edited(module):
        assert recomputed and package.recomputed() == recomputed


def test_edits_outside_of_the_computing_rooms_recompute_nothing(package) -> None:
    """Reports, papers, catalogue, configs, pipeline, tracking: every module of them at once."""
    others = [module for module in modules() if not computes(module)]
    with contextlib.ExitStack() as edits:
        for module in others:
            edits.enter_context(package.edited(module))
        assert package.recomputed() == set()
    rooms = {module.split(".")[0] for module in others}
    assert rooms >= {"report", "papers", "catalogue", "config", "pipeline", "tracking"}


def test_no_two_steps_share_a_fingerprint() -> None:
    digests = [fingerprint.digest for fingerprint in steps().values()]
    assert len(set(digests)) == len(digests)


def test_examination_depends_on_weights_and_test_images_alone() -> None:
    for step in EXAMINATIONS:
        before = {"autoencoder"} if step in BEHIND else set()
        assert set(steps()[step].inputs) == {"weights", "test data"} | before, step


def test_table_as_markdown_names_all_or_each() -> None:
    table = as_markdown({"one": EVERY, "two": _by("square") | _of("funn"), "three": _on("magnet")})
    assert table.splitlines()[2:] == [
        "| `one` | all | all | all | all |",
        "| `two` | funn |  |  | square |",
        "| `three` |  |  |  | on magnet |",
    ]


# --- entries of the catalogue: their prose decides nothing, their other fields do ---

PROSE: Mapping[type[Component], set[str]] = {
    Attack: {
        "sentence",
        "source",
        "metrics",
        "rule",
        "needs",
        "skips_misclassified",
        "random",
        "ratio",
    },
    Defence: {"sentence", "source", "metrics", "rule", "before"},
    ThreatModel: {"sentence", "source", "metrics", "rule", "grants", "why"},
    Autoencoder: {
        "sentence",
        "source",
        "metrics",
        "rule",
        "presets",
        "has_code",
        "draws",
        "nonlinear",
    },
    Certificate: {"sentence", "source", "metrics", "rule", "needs", "obstacle"},
    Classifier: {
        "sentence",
        "source",
        "metrics",
        "rule",
        "typed",
        "published",
        "nonlinear",
        "takes",
    },
}
"""What describes, chooses, refuses or presets; the values left are in every fingerprint."""

CODE: Mapping[str, Any] = {
    "name": "another",
    "code": "gauntlet.attacks.square:Square",
    "fixed": {"more": 1},
    "parameters": {"more": EPOCHS},
}
TRAINED: Mapping[str, Any] = {
    **CODE,
    "trainer": "gauntlet.autoencoders.funn:train",
    "training_fixed": {"more": 1},
    "training": {"more": EPOCHS},
    "seeded": False,
}
DECIDES: Mapping[type[Component], Mapping[str, Any]] = {
    Attack: {
        **CODE,
        "budgets": GREY_EPSILONS,
        "finds_minimum": True,
        "keeps_budget": False,
        "norm": "l2",
    },
    Defence: {
        **CODE,
        "autoencoders": ("magnet_1",),
        "inputs": "encoded",
        "unless": {AUTOENCODER: lambda _: True},
        "calibrated_by": "magnet_1",
        "stand_in": "identity",
    },
    ThreatModel: {
        "name": "another",
        "perturbs": "autoencoder_output",
        "gradient_of": "surrogate",
        "judged_by": "classifier",
    },
    Autoencoder: TRAINED,
    Certificate: {**CODE, "budgets": GREY_EPSILONS, "random": True},
    Classifier: TRAINED,
}
"""Another value of each field that decides a number."""

ELSEWHERE: Mapping[type[Component], set[str]] = {
    # A scenario has one class and no parameters.
    ThreatModel: {"code", "parameters", "fixed"},
    # In the fingerprints of what reads the stored network, and of what measures it.
    Autoencoder: {"layers", "examiner"},
    Classifier: {"layers", "examiner", "inputs"},
}

ENTRIES = (
    ATTACKS["pgd"],
    DEFENCES["reformer"],
    THREAT_MODELS["gray_box"],
    AUTOENCODERS["vanilla"],
    CERTIFICATES["interval"],
    CLASSIFIERS["dense"],
)
CONFIG = AttackConfig(attacks="pgd", defence="reformer", threat_models="gray_box")


def _decided(entry: Component, **change: Any) -> Any:
    """Return all that a fingerprint holds of an entry of which some fields are changed."""
    other = dataclasses.replace(entry, **change)
    if isinstance(other, Trainable):
        return Training(other, CONFIG.values, seed=0).settings, other.modules
    if isinstance(other, Certificate):
        what = Certification(chosen(other, CONFIG.values), CONFIG.defence(DEFENCES["none"]), 0)
        return what.settings, what.modules
    (cell,) = plan_cells(CONFIG)
    if isinstance(other, ThreatModel):
        cell = dataclasses.replace(cell, threat_model=other)
    elif isinstance(other, Attack):
        cell = dataclasses.replace(cell, attack=chosen(other, CONFIG.values))
    elif isinstance(other, Defence):
        size = CONFIG.calibration_size(other)
        defence = chosen(other, CONFIG.values)
        cell = dataclasses.replace(cell, defence=defence, calibration_size=size)
    return cell.settings, cell.parts, cell.modules


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_prose_of_an_entry_recomputes_nothing(entry) -> None:
    for name in PROSE[type(entry)]:
        assert _decided(entry, **{name: "another"}) == _decided(entry), name


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_other_field_of_an_entry_decides(entry) -> None:
    kind = type(entry)
    for name, value in DECIDES[kind].items():
        assert _decided(entry, **{name: value}) != _decided(entry), name
    known = PROSE[kind] | set(DECIDES[kind]) | ELSEWHERE.get(kind, set())
    assert known == {field.name for field in dataclasses.fields(kind)}


# --- what really runs ---


@contextlib.contextmanager
def _watched(called: set[str]) -> Iterator[None]:
    """Note the modules of the project of which functions are called; their import is none."""
    assert sys.getprofile() is None, "a step within a step would end the watch on the outer one"
    profile = cProfile.Profile(subcalls=False, builtins=False)
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        codes = [entry.code for entry in profile.getstats() if isinstance(entry.code, CodeType)]
        for code in codes:
            in_function = code.co_flags & inspect.CO_OPTIMIZED  # no module, and no body of a class
            if in_function and code.co_filename.startswith(f"{SOURCE}{os.sep}"):
                file = Path(code.co_filename).relative_to(SOURCE)
                called.add(".".join(file.with_suffix("").parts).removesuffix(".__init__"))


SHORT = {
    "train_size": "120",
    "epochs": "2",
    "init_epochs": "1",
    "validation_size": "50",
    "classifier_epochs": "1",
    "test_size": "20",
    "filters": "2,4",
    "steps": "3",
    "rel_step": "1",
    "apgd_steps": "3",
    "cw_steps": "3",
    "square_queries": "9",
    "spsa_steps": "2",
    "max_pixels": "9",
    "hop_skip_jump_steps": "2",
    "sigma_zero_steps": "9",
    "local_search_rounds": "2",
    "fmn_steps": "2",
    "ddn_steps": "2",
    "fab_steps": "2",
    "eot_samples": "1",
    "judge_draws": "2",
    "smoothing_n0": "2",
    "smoothing_n": "10",
    # Large: everything falls at once, so that attacks whose length is published end early.
    "epsilons": "1",
    "l2_epsilons": "100",
}
ATTACKED: Mapping[str, Mapping[str, str]] = {
    "every attack": {"attacks": ",".join(ATTACKS), "defence": "none", "threat_models": "white_box"},
    "every defence": {"attacks": "fgsm", "defence": ",".join(DEFENCES), "threat_models": "all"},
    "draws": {
        "autoencoder": "variational",
        "defence": "reformer",
        "stochastic": "true",
        "eot_samples": "2",
        "attacks": "pgd",
        "threat_models": "white_box",
    },
    "convolutional": {"classifier": "convolutional", "defence": "none", "attacks": "fgsm"},
    "certificates": {
        "certificates": ",".join(CERTIFICATES),
        "defence": "none,features,smoothing",
        "pre_output_activation": "relu",
        "attacks": "fgsm",
        "threat_models": "white_box",
    },
    "regression": {
        "classifier": "logistic_regression",
        "defence": "encoded",
        "attacks": "lr_natural",
    },
}


@pytest.fixture
def ran(new_store, tmp_path, monkeypatch) -> Iterator[list[tuple[Fingerprint, set[str]]]]:
    """A store of its own; each step that is computed in it, and the modules that ran then."""
    found: list[tuple[Fingerprint, set[str]]] = []
    compute = Reuse._compute

    def watched(reuse: Reuse, fingerprint: Fingerprint, *how: Any, **more: Any) -> Any:
        found.append((fingerprint, set()))
        with _watched(found[-1][1]):
            return compute(reuse, fingerprint, *how, **more)

    monkeypatch.setattr(Reuse, "_compute", watched)
    with tracking_to(new_store(), tmp_path):
        yield found


def _check(ran: list[tuple[Fingerprint, set[str]]]) -> None:
    for fingerprint, called in ran:
        computing = {module for module in called if computes(module) and module not in DRAWING}
        assert computing, fingerprint
        digests = provenance.source_digests(*fingerprint.computed_by, RUNTIME)
        missing = computing - {name.removeprefix("gauntlet.") for name in digests}
        assert not missing, fingerprint


@pytest.mark.slow
@pytest.mark.parametrize("kind", AUTOENCODERS)
def test_whatever_trains_and_examines_an_autoencoder_is_in_its_digest(ran, tiny, kind) -> None:
    read = AutoencoderConfig.parameters()
    short = {name: value for name, value in SHORT.items() if name in read}
    autoencoder.run(tiny("autoencoder", **short, autoencoder=kind))
    assert [fingerprint.step for fingerprint, _ in ran] == ["autoencoder", "examination"]
    _check(ran)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("values", ATTACKED.values(), ids=ATTACKED)
def test_whatever_runs_for_an_attack_is_in_the_digest_of_its_step(ran, tiny, values) -> None:
    attack.run(tiny("attack", **SHORT | dict(values)))
    kinds = {fingerprint.step for fingerprint, _ in ran}
    assert kinds >= {"classifier", "examination", "cell"}
    _check(ran)


@pytest.mark.parametrize(
    ("variable", "changes"),
    [
        ("TF_ENABLE_ONEDNN_OPTS", True),
        ("TF_XLA_FLAGS", True),
        ("OMP_NUM_THREADS", True),
        ("NVIDIA_TF32_OVERRIDE", True),
        ("TF_CPP_MIN_LOG_LEVEL", False),
        ("TF_FORCE_GPU_ALLOW_GROWTH", False),
        ("TF_CLI_CONFIG_FILE", False),  # Terraform's
        ("TF_TOKEN_app_terraform_io", False),
        ("TF_VAR_db_password", False),
    ],
)
def test_environment_is_in_the_fingerprint_where_it_changes_arithmetic(
    monkeypatch, variable, changes
) -> None:
    monkeypatch.delenv(variable, raising=False)
    before = Fingerprint("cell", "any", {}, {}, ()).parts
    monkeypatch.setenv(variable, "0")
    added = Fingerprint("cell", "any", {}, {}, ()).parts.items() - before.items()
    assert added == ({(f"environment {variable}", "0")} if changes else set())
