"""When a finished run stands for its step, when not, and what is said about it."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from typing import Any

import mlflow
import numpy as np
import pytest
from parameters import OTHER_VALUES
from servers import tracking_to

from gauntlet.config.attack import AttackConfig
from gauntlet.config.tables import ATTACKS, READ_BY
from gauntlet.steps import attack, autoencoder, cells, classifier
from gauntlet.steps.reuse import Reuse
from gauntlet.tracking import provenance, step_cache
from gauntlet.tracking.experiments import AUTOENCODERS, experiment_id
from gauntlet.tracking.finished import read_sealed
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.step_cache import Fingerprint, look_up

BASE = Fingerprint("autoencoder", "vanilla", {"epochs": 5}, {"data": "d" * 64}, ())
BUDGETS = {"epsilons", "grey_epsilons"}
ALL_FIELDS = sorted({field for fields in READ_BY.values() for field in fields} - BUDGETS)


def _finish(fingerprint: Fingerprint, status: str = "FINISHED", **created: Any) -> str:
    client = mlflow.MlflowClient()
    experiment = created.pop("experiment", None) or experiment_id(AUTOENCODERS)
    run = TrackedRun(client.create_run(experiment, **created).info.run_id, experiment)
    run.tags(fingerprint.tags)
    run.seal()
    if status != "RUNNING":
        client.set_terminated(run.id, status)
    return run.id


def _found(fingerprint: Fingerprint) -> str | None:
    """The id of the run that stands for a step."""
    found = look_up(fingerprint)
    return None if isinstance(found, str) else found.id


def test_finished_run_is_reused_and_said(store, capsys):
    run_id = _finish(BASE)
    again = dataclasses.replace(BASE)
    assert Reuse().reuse_or_compute(again, pytest.fail).id == run_id
    assert capsys.readouterr().out == f"autoencoder vanilla: reused run {run_id}\n"


def test_newest_of_several_is_reused(store):
    _finish(BASE)
    newest = _finish(BASE, start_time=10**14)
    assert _found(BASE) == newest


@pytest.mark.parametrize("status", ["FAILED", "KILLED", "RUNNING"])
def test_unfinished_run_is_not_reused(store, status):
    _finish(BASE, status)
    assert look_up(BASE) == "no finished run of it yet"


def test_deleted_run_is_not_reused(store):
    store.delete_run(_finish(BASE))
    assert _found(BASE) is None


def test_run_of_any_experiment_is_reused(store):
    run_id = _finish(BASE, experiment=store.create_experiment("mine"))
    assert _found(BASE) == run_id


def test_no_experiment_is_overlooked(store, monkeypatch):
    """MLflow answers with so many at most, and says nothing of the others."""
    run_id = _finish(BASE)
    for name in "abc":
        store.create_experiment(name)
    ask = mlflow.MlflowClient.search_experiments
    monkeypatch.setattr(
        mlflow.MlflowClient,
        "search_experiments",
        lambda self, **options: ask(self, **options | {"max_results": 1}),
    )
    assert _found(BASE) == run_id


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config": {"epochs": 6}}, "epochs 5 -> 6"),
        ({"config": {}}, "epochs 5 -> None"),
        ({"inputs": {"data": "e" * 64}}, "input data changed"),
        ({"computed_by": ("gauntlet.seeding",)}, "source gauntlet.seeding changed"),
    ],
)
def test_changed_part_is_a_miss_and_is_named(store, change, reason):
    _finish(BASE)
    changed = dataclasses.replace(BASE, **change)
    assert look_up(changed) == reason


def test_changed_package_version_is_a_miss(store, monkeypatch):
    _finish(BASE)
    versions = {**provenance.package_versions(), "keras": "9.9"}
    monkeypatch.setattr(step_cache, "package_versions", lambda: versions)
    changed = dataclasses.replace(BASE)
    assert str(look_up(changed)).endswith("-> 9.9")


def test_many_changes_are_counted(store):
    _finish(BASE)
    many = dataclasses.replace(BASE, config=dict.fromkeys("abcde", 1))
    assert look_up(many) == "epochs 5 -> None, a None -> 1, b None -> 1 and 3 more"


def test_other_step_with_the_same_parts_is_another_fingerprint():
    assert dataclasses.replace(BASE, step="cell").digest != BASE.digest


def test_order_of_settings_does_not_matter():
    one, other = (
        dataclasses.replace(BASE, config=dict(pairs))
        for pairs in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)])
    )
    assert one.digest == other.digest


def test_tags_let_a_reader_rebuild_the_digest():
    assert json.loads(BASE.tags[step_cache.PARTS]) == BASE.parts


def test_compute_that_leaves_no_run_is_a_bug(store):
    with pytest.raises(RuntimeError, match="left no finished run"):
        Reuse().reuse_or_compute(BASE, lambda: None)


@pytest.mark.parametrize("step", [autoencoder, classifier, cells])
def test_lock_is_free_after_a_failure(store, step):
    fingerprint = dataclasses.replace(BASE, computed_by=step.COMPUTED_BY)
    with pytest.raises(ZeroDivisionError):
        Reuse().reuse_or_compute(fingerprint, lambda: 1 / 0)
    fingerprint.lock().acquire(blocking=False)


@pytest.fixture
def edit(tmp_path, monkeypatch) -> Callable[[str], None]:
    """Edit a module in a copy of the package, the one that digests are taken of."""
    copy = shutil.copytree(provenance.PACKAGE, tmp_path / "gauntlet")
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    monkeypatch.setattr(step_cache, "source_digests", provenance.source_digests.__wrapped__)

    def append(module: str) -> None:
        with provenance._source_file(module).open("a") as file:
            file.write("\n# edited\n")

    return append


def _digest(step) -> str:
    return dataclasses.replace(BASE, computed_by=step.COMPUTED_BY).digest


@pytest.mark.parametrize(
    ("step", "module"),
    [
        (autoencoder, "gauntlet.autoencoders.training"),  # named by the step
        (autoencoder, "gauntlet.autoencoders.layers"),  # imported by an import
        (autoencoder, "gauntlet.networks"),
        (autoencoder, "gauntlet.seeding"),
        (autoencoder, "gauntlet.runtime"),
        (autoencoder, "gauntlet.data.digits"),
        (classifier, "gauntlet.classifiers.dense"),
        (classifier, "gauntlet.networks"),
        (cells, "gauntlet.attacks.iterative"),
        (cells, "gauntlet.attacks.gradients"),
        (cells, "gauntlet.defences.defended_model"),
        (cells, "gauntlet.evaluation.metrics"),
        (cells, "gauntlet.evaluation.statistics"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_edit_of_what_computes_a_step_changes_its_fingerprint(edit, step, module):
    before = _digest(step)
    edit(module)
    assert _digest(step) != before


@pytest.mark.parametrize(
    ("step", "module"),
    [
        (autoencoder, "gauntlet.attacks.single_step"),
        (autoencoder, "gauntlet.classifiers.dense"),
        (autoencoder, "gauntlet.evaluation.figures"),
        (autoencoder, "gauntlet.tracking.runs"),
        (classifier, "gauntlet.attacks.single_step"),
        (classifier, "gauntlet.autoencoders.training"),  # its weights are an input
        (cells, "gauntlet.autoencoders.training"),
        (cells, "gauntlet.report.attack.summary"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_edit_of_other_code_changes_nothing(edit, step, module):
    before = _digest(step)
    edit(module)
    assert _digest(step) == before


@pytest.mark.slow
@pytest.mark.parametrize("step", [autoencoder, classifier, cells], ids=lambda s: s.__name__)
def test_sources_are_all_that_python_imports(start, step):
    """What the digest reads from the text is what an import really brings in."""
    followed = [n for n in step.COMPUTED_BY if not n.startswith(provenance._NOT_FOLLOWED)]
    script = f"import sys, {', '.join(followed)}\nprint(*sys.modules)"
    out, err = start("python", "-c", script, uri="").communicate(timeout=100)
    imported = {name for name in out.split() if name.startswith("gauntlet.")}
    packages = {name for name in imported if any(o.startswith(f"{name}.") for o in imported)}
    computing = {n for n in imported - packages if not n.startswith(provenance._NOT_FOLLOWED)}
    assert set(followed) <= computing, err
    assert computing <= set(provenance.source_digests(*step.COMPUTED_BY))


class _Recorder:
    """A config that remembers which parameters were asked for."""

    def __init__(self, config: AttackConfig) -> None:
        self._config = config
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> object:
        self.read.add(name)
        return getattr(self._config, name)


@pytest.mark.parametrize("name", [name for name in ATTACKS if not name.startswith("lr_")])
def test_attack_reads_exactly_what_its_fingerprint_holds(tiny, name):
    from gauntlet.attacks.registry import build_attack

    config = _Recorder(tiny("attack"))
    build_attack(name, config)
    AttackConfig.budgets(config, name)
    assert config.read == set(READ_BY[name])


def _with_others(config: AttackConfig, fields) -> AttackConfig:
    return config.model_copy(update={field: OTHER_VALUES[field] for field in fields})


@pytest.mark.parametrize("name", ATTACKS)
def test_parameters_are_in_the_settings_of_the_attacks_that_read_them(tiny, name):
    config = tiny("attack")
    differing = {
        field
        for field in ALL_FIELDS
        if _with_others(config, [field]).attack_settings(name) != config.attack_settings(name)
    }
    assert differing == set(ALL_FIELDS) & set(READ_BY[name])


@pytest.mark.parametrize("name", [name for name in ATTACKS if name.startswith("lr_")])
def test_field_that_one_lr_attack_holds_for_another_changes_nothing(tiny, name):
    config = tiny("attack")
    unread = set(ALL_FIELDS) - set(READ_BY[name])
    images = _adversarial(name, config), _adversarial(name, _with_others(config, unread))
    assert np.array_equal(*images)


def _adversarial(name: str, config: AttackConfig) -> np.ndarray:
    """Attack random images under a fixed linear model."""
    import tensorflow as tf

    from gauntlet.attacks.registry import build_attack

    numbers = np.random.default_rng(0)
    weights = tf.constant(numbers.normal(size=(16, 10)), tf.float32)
    images, labels = numbers.random((12, 4, 4, 1), np.float32), np.arange(12) % 10
    logits = tf.function(lambda x, _: tf.reshape(x, (-1, 16)) @ weights)
    (result,) = build_attack(name, config)(logits, images, labels, epsilons=[0.1], seed=1)
    assert not np.array_equal(result.adversarial, images)
    return result.adversarial


def test_second_attack_run_computes_nothing(attacked, tmp_path, capsys):
    with tracking_to(attacked.uri, tmp_path):
        again = attack.run(attacked.config)
    said, noise = capsys.readouterr()
    assert "cells: 20 reused" in said and "computed" not in said
    assert "Downloading" not in noise
    assert [c.run_id for c in again.attacks] == [c.run_id for c in attacked.summary.attacks]


def test_first_attack_run_says_what_it_computes(attacked):
    assert "autoencoder vanilla: computed because: no finished run of it yet" in attacked.said
    assert "cells: 20 computed because: no finished run of it yet" in attacked.said


def test_more_attacks_retrain_no_model(attacked, tiny, tmp_path, capsys):
    more = tiny("attack", attacks="t_fgsm", defence="encoded", threat_models="encoded")
    with tracking_to(attacked.uri, tmp_path):
        attack.run(more)
    said = capsys.readouterr().out
    assert said.count(": reused run ") == 2
    assert "cells: 1 computed because: no finished run of it yet" in said


def test_other_test_images_retrain_no_model(attacked, tiny, tmp_path, capsys):
    """And a training is measured on all test images, whichever are attacked."""
    fewer = tiny(
        "attack", test_size="30", attacks="fgsm", defence="encoded", threat_models="white_box"
    )
    with tracking_to(attacked.uri, tmp_path) as client:
        attack.run(fewer)
        said = capsys.readouterr().out
        assert said.count(": reused run ") == 2
        assert "cells: 1 computed because: input data changed" in said
        run_id = re.search(r"classifier .* reused run (\w+)", said)[1]
        matrix = read_sealed(run_id).json("confusion_matrix.json")
        assert np.sum(matrix["counts"]) == 297
        assert client.get_run(run_id).data.params["config/test_size"] == "60"


@pytest.mark.slow
def test_reused_attack_imports_no_tensorflow(attacked, start):
    script = (
        "import sys\n"
        "from gauntlet.config.attack import AttackConfig\n"
        "from gauntlet.steps import attack\n"
        f"attack.run(AttackConfig.model_validate_json({attacked.config.model_dump_json()!r}))\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    process = start("python", "-c", script, uri=attacked.uri)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert "cells: 20 reused" in out


@pytest.mark.slow
def test_two_processes_that_want_one_model_train_it_once(new_store, start, tmp_path):
    uri = new_store()
    command = ["python", "-m", "gauntlet", "autoencoder", "--preset", "smoke", "--epochs", "40"]
    both = [start(*command, uri=uri) for _ in range(2)]
    said = sorted(process.communicate(timeout=200)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    with tracking_to(uri, tmp_path) as client:
        (run,) = client.search_runs([experiment_id(AUTOENCODERS)])
    assert sum("computed because" in text for text in said) == 1
    assert sum(f"autoencoder vanilla: reused run {run.info.run_id}" in text for text in said) == 1
