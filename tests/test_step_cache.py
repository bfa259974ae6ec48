"""When a finished run stands for its step, when not, and what is said about it."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from typing import Any

import mlflow
import numpy as np
import pytest
from servers import tracking_to
from stored import examination_of

from gauntlet.cells.plan import plan_cells
from gauntlet.data.registry import load
from gauntlet.entry_points import attack, autoencoder
from gauntlet.pipeline.reuse import Reuse
from gauntlet.tracking import names, provenance, step_cache
from gauntlet.tracking.experiments import experiment_id
from gauntlet.tracking.finished import read_sealed
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.step_cache import Fingerprint, look_up

BASE = Fingerprint("autoencoder", "vanilla", {"epochs": 5}, {"data": "d" * 64}, ())


def _finish(fingerprint: Fingerprint, status: str = "FINISHED", **created: Any) -> str:
    client = mlflow.MlflowClient()
    experiment = created.pop("experiment", None) or experiment_id("autoencoders")
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
    assert json.loads(BASE.tags[names.FINGERPRINT_PARTS]) == BASE.parts


def test_compute_that_leaves_no_run_is_a_bug(store):
    with pytest.raises(RuntimeError, match="left no finished run"):
        Reuse().reuse_or_compute(BASE, lambda: None)


def test_lock_is_free_after_a_failure(store):
    with pytest.raises(ZeroDivisionError):
        Reuse().reuse_or_compute(BASE, lambda: 1 / 0)
    BASE.lock().acquire(blocking=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["square", "cw_l2", "lr_natural"])
def test_sources_are_all_that_python_imports(start, tiny, name):
    """What the digest reads from the text is what an import really brings in."""
    config = tiny("attack", attacks=name, defence="magnet", threat_models="all")
    modules = plan_cells(config)[0].modules
    script = f"import sys, {', '.join(modules)}\nprint(*sys.modules)"
    out, err = start("python", "-c", script, uri="").communicate(timeout=100)
    imported = {name for name in out.split() if name.startswith("gauntlet.")}
    packages = {name for name in imported if any(o.startswith(f"{name}.") for o in imported)}
    rooms = tuple(f"gauntlet.{room}" for room in provenance.COMPUTING)
    computing = {module for module in imported - packages if module.startswith(rooms)}
    assert set(modules) <= computing, err
    assert computing <= set(provenance.source_digests(*modules))


def test_sources_of_other_packages(tmp_path, monkeypatch):
    """Relative imports are followed, across a package that lies in two folders."""
    monkeypatch.syspath_prepend(tmp_path / "one")
    monkeypatch.syspath_prepend(tmp_path / "two")
    for path, source in {
        "one/strange/attack.py": "from . import steps\nfrom .inner.deep import f",
        "one/strange/steps.py": "",
        "two/strange/inner/__init__.py": "from .more import g",
        "two/strange/inner/deep.py": "from ..last import g\nimport json",
        "two/strange/inner/more.py": "",
        "two/strange/last.py": "",
        "two/strange/apart.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "single.py").write_text("")
    read = provenance.source_digests.__wrapped__
    followed = {f"strange.{name}" for name in ("attack", "inner.deep", "last", "steps")}
    packages = {"strange.inner", "strange.inner.more"}
    assert set(read("strange.attack", "single")) == {*followed, *packages, "single"}
    with pytest.raises(ModuleNotFoundError, match=r"no source file of strange\.nowhere"):
        read("strange.nowhere")


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


@pytest.mark.parametrize("first", ["0", "40"])
def test_other_test_images_retrain_no_model(attacked, tiny, tmp_path, capsys, first):
    """And a network is measured on all test images, whichever are attacked."""
    fewer = tiny(
        "attack",
        test_first=first,
        test_size="30",
        attacks="fgsm",
        defence="encoded",
        threat_models="white_box",
    )
    with tracking_to(attacked.uri, tmp_path) as client:
        attack.run(fewer)
        said = capsys.readouterr().out
        assert said.count(": reused run ") == 2
        assert "cells: 1 computed because: input test data changed" in said
        run_id = re.search(r"classifier .* reused run (\w+)", said)[1]
        examined = examination_of(client, run_id)
        matrix = read_sealed(examined.info.run_id).json("confusion_matrix.json")
        assert np.sum(matrix["counts"]) == 297


def test_data_under_another_name_train_nothing_again(store, tiny, tmp_path, capsys):
    digits = load("digits")
    arrays = {key: getattr(digits, key) for key in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "a.npz", **arrays)
    shutil.copy(tmp_path / "a.npz", tmp_path / "b.npz")
    for name in "ab":
        autoencoder.run(tiny("autoencoder", dataset=f"npz:{tmp_path}/{name}.npz"))
    said = capsys.readouterr().out
    assert said.count("autoencoder vanilla: computed") == 1
    assert said.count("autoencoder vanilla: reused") == 1


@pytest.mark.slow
def test_reused_attack_imports_no_tensorflow(attacked, start):
    script = (
        "import sys\n"
        "from gauntlet.config.attack import AttackConfig\n"
        "from gauntlet.entry_points import attack\n"
        f"attack.run(AttackConfig(**{attacked.config.as_json(attacked.config.given)!r}))\n"
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
        found = client.search_runs([experiment_id("autoencoders")])
        (run,) = [run for run in found if run.data.tags["gauntlet.step"] == "autoencoder"]
    assert sum("computed because" in text for text in said) == 1
    assert sum(f"autoencoder vanilla: reused run {run.info.run_id}" in text for text in said) == 1
