"""Runs, models and stores: what is kept, how a run ends, what is said when a store fails."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import pytest
from servers import free_port, tracking_to

from gauntlet.errors import DamagedRunError, TrackingError
from gauntlet.interruption import OPENED_RUN
from gauntlet.pipeline import session as sessions
from gauntlet.tracking import provenance
from gauntlet.tracking import store as stores
from gauntlet.tracking.artifacts import load_model, log_model, weights_sha256
from gauntlet.tracking.entry_run import mark_entry_as_reuse
from gauntlet.tracking.experiments import experiment_id
from gauntlet.tracking.finished import read_sealed
from gauntlet.tracking.runs import continued_run, tracked_run
from gauntlet.tracking.step_cache import Fingerprint

KINDS = ("vanilla", "sparse", "denoising", "variational")
FINGERPRINT = Fingerprint("autoencoder", "vanilla", {"epochs": 4}, {"data": "d" * 64}, ())
ENDS = {
    "FINISHED": None,
    "FAILED": ZeroDivisionError("one by nought"),
    "KILLED": KeyboardInterrupt(),
}


def _open(config, **more):
    return tracked_run("autoencoders", "a name", config.as_json(), tags=FINGERPRINT.tags, **more)


def _track(store, config, end="FINISHED", **metrics):
    """Run to one of the ends; return the run as the store has it."""
    with contextlib.suppress(ZeroDivisionError, KeyboardInterrupt), _open(config) as run:
        run.metrics(metrics.items())
        if ENDS[end]:
            raise ENDS[end]
    return store.get_run(run.id)


def _files(store, run_id: str) -> set[str]:
    return {f.path for f in store.list_artifacts(run_id)}


@pytest.mark.parametrize("end", ENDS)
def test_run_ends_as_its_block_did(store, tiny, end):
    info = _track(store, tiny("autoencoder"), end).info
    assert info.status == end and info.end_time is not None


def test_run_that_is_opened_again_replaces_its_table_and_keeps_its_seal(store, tiny):
    with _open(tiny("autoencoder")) as run:
        run.metrics([("loss", 2.0)])
        run.text("first.txt", "one")
        run.table("table.json", {"trial": ["0", "1"], "value": ["a", "b"]})
    before = read_sealed(run.id)
    with continued_run(run.id) as again:
        again.metrics([("loss", 1.0)], step=1)
        again.table("table.json", {"trial": ["0", "1", "2"], "value": ["a", "b", "c"]})
    table = store.load_table(run.experiment_id, "table.json", [run.id])
    assert table.to_dict("list") == {"trial": [0, 1, 2], "value": ["a", "b", "c"]}
    after = read_sealed(run.id)
    after.check()
    assert after.digests.keys() - {"seal.json"} == _files(store, run.id) - {"seal.json"}
    assert after.digests["config.json"] == before.digests["config.json"]
    assert after.curves["loss"] == {0: 2.0, 1: 1.0}
    store.set_tag(run.id, "gauntlet.step", "another")
    with pytest.raises(DamagedRunError, match=r"tag gauntlet\.step of run \w+ was changed"):
        read_sealed(run.id)


@pytest.mark.parametrize("end", ENDS)
def test_buffered_metrics_survive_every_end(store, tiny, end):
    assert _track(store, tiny("autoencoder"), end, loss=0.25).data.metrics["loss"] == 0.25


def test_exception_goes_on_and_leaves_its_traceback(store, tiny):
    with pytest.raises(ZeroDivisionError), _open(tiny("autoencoder")) as run:
        raise ENDS["FAILED"]
    error = store.get_run(run.id).data.tags["gauntlet.error"]
    assert error == "ZeroDivisionError: one by nought"
    text = mlflow.artifacts.load_text(f"runs:/{run.id}/traceback.txt")
    assert text.startswith("Traceback") and Path(__file__).name in text


@pytest.mark.parametrize("end", ["FINISHED", "KILLED"])
def test_no_traceback_where_nothing_failed(store, tiny, end):
    run = _track(store, tiny("autoencoder"), end)
    seal = {"seal.json"} if end == "FINISHED" else set()
    assert _files(store, run.info.run_id) == {"config.json", "environment.txt", *seal}
    assert "gauntlet.error" not in run.data.tags


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError], ids=["KILLED", "FAILED"])
def test_run_that_ends_while_it_is_described_does_not_stay_running(
    store, tiny, monkeypatch, error, request
):
    monkeypatch.setattr("gauntlet.tracking.runs.environment", lambda: (_ for _ in ()).throw(error))
    with pytest.raises(error), _open(tiny("autoencoder")):
        pytest.fail("the block must not run")
    (run,) = store.search_runs([experiment_id("autoencoders")])
    assert run.info.status == request.node.callspec.id


def test_thousands_of_metrics_go_out_in_batches(store, tiny, monkeypatch):
    sizes, log_batch = [], mlflow.MlflowClient.log_batch

    def recording(client, run_id, metrics=(), **more):
        sizes.append(len(metrics))
        log_batch(client, run_id, metrics, **more)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", recording)
    monkeypatch.setattr("gauntlet.tracking.recording.FLUSH_SECONDS", 60)
    with _open(tiny("autoencoder")) as run:
        for step in range(2500):
            run.metrics([("loss", step / 2)], step)
    assert [size for size in sizes if size > 100] == [1000, 1000, 500]
    history = {m.step: m.value for m in store.get_metric_history(run.id, "loss")}
    assert history == {step: step / 2 for step in range(2500)}


def test_metrics_are_written_while_the_run_goes_on(store, tiny, monkeypatch):
    monkeypatch.setattr("gauntlet.tracking.recording.FLUSH_SECONDS", 0)
    with _open(tiny("autoencoder")) as run:
        run.metrics([("loss", 1.0)])
        assert store.get_run(run.id).data.metrics["loss"] == 1.0


def test_parameters_are_the_resolved_config(store, tiny):
    config = tiny("autoencoder", epochs="preset")
    run = _track(store, config)
    assert set(run.data.params) == {f"config/{name}" for name in config.values}
    assert run.data.params["config/epochs"] == "5"  # what the preset says
    assert run.data.params["config/widths"] == "32,8"
    text = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/config.json")
    assert json.loads(text) == config.as_json()


def test_tags_say_what_made_the_run(store, tiny):
    tags = _track(store, tiny("autoencoder", seed="7")).data.tags
    expected = {**FINGERPRINT.tags, **provenance.git_state(), "gauntlet.seed": "7"}
    assert expected.items() <= tags.items()
    assert {"gauntlet.step", "gauntlet.fingerprint", "gauntlet.git_commit"} <= set(expected)


def test_environment_names_every_numeric_package(store, tiny):
    run = _track(store, tiny("autoencoder"))
    text = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/environment.txt")
    pins = {f"{k}=={v}" for k, v in provenance.package_versions().items() if k != "python"}
    assert pins <= set(text.splitlines())


def _commit(folder) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@x"]
    for words in (["init"], ["add", "."], [*identity, "commit", "-m", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True)
    return head.stdout.strip()


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A checkout to be, with one source; git's state is asked of it."""
    package = tmp_path / "project" / "src" / "gauntlet"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("old")
    monkeypatch.setattr(provenance, "PROJECT_ROOT", tmp_path / "project")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "git_state", provenance.git_state.__wrapped__)
    return package


def test_git_state_of_a_checkout(sources):
    assert set(provenance.git_state().values()) == {"unknown"}
    commit = _commit(provenance.PROJECT_ROOT)
    clean = {"gauntlet.git_commit": commit, "gauntlet.git_dirty": "false"}
    assert provenance.git_state() == clean
    (sources / "__init__.py").write_text("new")
    assert provenance.git_state() == {**clean, "gauntlet.git_dirty": "true"}


def test_report_that_a_run_wrote_makes_no_checkout_dirty(sources):
    report = provenance.PROJECT_ROOT / "reports" / "report.md"
    report.parent.mkdir()
    report.write_text("old")
    _commit(provenance.PROJECT_ROOT)
    report.write_text("new")
    assert provenance.git_state()["gauntlet.git_dirty"] == "false"


def test_source_that_no_commit_holds_makes_a_checkout_dirty(sources):
    _commit(provenance.PROJECT_ROOT)
    (sources / "attack_of_mine.py").write_text("new")
    assert provenance.git_state()["gauntlet.git_dirty"] == "true"


def test_commit_of_another_repository_is_not_recorded(sources, tmp_path, monkeypatch):
    (tmp_path / "notes").write_text("somebody's repository, into which a zip was unpacked")
    (tmp_path / ".gitignore").write_text("project")
    _commit(tmp_path)
    assert set(provenance.git_state().values()) == {"unknown"}
    ours = _commit(provenance.PROJECT_ROOT)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert provenance.git_state()["gauntlet.git_commit"] == ours


def test_data_set_is_an_input_with_its_own_digest(store, tiny):
    with _open(tiny("autoencoder")) as run:
        run.uses_data("digits", "ab" * 32, 400, "training")
    found = store.get_run(run.id)
    (data,) = found.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", ("ab" * 32)[:36])
    assert [(t.key, t.value) for t in data.tags] == [("mlflow.data.context", "training")]
    assert found.data.tags["gauntlet.dataset_sha256"] == "ab" * 32


def _opened_by_the_launcher(run_id, monkeypatch):
    for name in ("MLFLOW_RUN_ID", OPENED_RUN):
        monkeypatch.setenv(name, run_id)


def test_run_that_mlflow_opened_is_taken_over_once(store, tiny, monkeypatch):
    opened = store.create_run(store.create_experiment("chosen by the user"))
    _opened_by_the_launcher(opened.info.run_id, monkeypatch)
    with _open(tiny("autoencoder"), entry=True) as first, _open(tiny("autoencoder"), entry=True):
        pass
    found = store.get_run(opened.info.run_id)
    assert (first.id, found.info.status) == (opened.info.run_id, "FINISHED")
    assert (found.info.run_name, found.info.experiment_id) == ("a name", opened.info.experiment_id)
    assert len(store.search_runs([experiment_id("autoencoders")])) == 1


def test_only_the_entry_takes_that_run(store, tiny, monkeypatch):
    opened = store.create_run("0").info.run_id
    _opened_by_the_launcher(opened, monkeypatch)
    with _open(tiny("autoencoder")) as run:
        assert run.id != opened
    mark_entry_as_reuse("autoencoder")
    tags = store.get_run(opened).data.tags
    assert tags["gauntlet.step"] == "reuse" and "reused" in tags["mlflow.runName"]


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "KILLED"), (ZeroDivisionError, "FAILED")]
)
def test_run_that_mlflow_opened_ends_even_if_no_step_took_it(store, monkeypatch, error, status):
    opened = store.create_run("0").info.run_id
    _opened_by_the_launcher(opened, monkeypatch)
    with pytest.raises(error), sessions.session("attack"):
        raise error
    assert store.get_run(opened).info.status == status


def test_child_is_in_its_parents_experiment(store, tiny):
    with _open(tiny("autoencoder")) as parent:
        other = tracked_run(
            "attacks", "child", tiny("autoencoder").as_json(), tags={}, parent=parent
        )
        with other as child:
            pass
    tags = store.get_run(child.id).data.tags
    assert (child.experiment_id, tags["mlflow.parentRunId"]) == (parent.experiment_id, parent.id)


@pytest.fixture(scope="module")
def logged(new_store, tiny, tmp_path_factory):
    """An autoencoder of each kind, in a store that stays the one in use."""

    models = {}
    with tracking_to(new_store(), tmp_path_factory.mktemp("models")):
        for kind in KINDS:
            config = tiny("autoencoder", autoencoder=kind, noise="0.1", sparsity_penalty="kl")
            model = config.autoencoder().create((8, 8, 1), 0)
            with _open(config) as run:
                models[kind] = model, log_model(run, model, _images()[:2])
        yield models


def _images():
    return np.random.default_rng(0).random((20, 8, 8, 1), np.float32)


def _folder(model_id: str) -> Path:
    uri = mlflow.MlflowClient().get_logged_model(model_id).artifact_location
    return Path(uri.removeprefix("file://"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_with_the_same_predictions(logged, kind):
    model, stored = logged[kind]
    again = load_model(stored)
    assert np.array_equal(again(_images()), model(_images()))
    assert weights_sha256(again) == stored.weights_sha256


@pytest.mark.slow
def test_every_kind_loads_in_a_process_that_trained_none(logged, start):
    script = (
        "import sys\n"
        "from gauntlet.config.training import AutoencoderConfig\n"
        "from gauntlet.pipeline.trainings import TrainedNetwork\n"
        "from gauntlet.tracking.artifacts import stored_model, weights_sha256\n"
        "from gauntlet.tracking.finished import read_sealed\n"
        "for kind, run_id in (word.split('=') for word in sys.argv[1:]):\n"
        "    training = AutoencoderConfig(autoencoder=kind).autoencoder()\n"
        "    network = TrainedNetwork(training, stored_model(read_sealed(run_id)), '')\n"
        "    print(weights_sha256(network.load()))\n"
    )
    stored = [logged[kind][1] for kind in KINDS]
    uri = os.environ["MLFLOW_TRACKING_URI"]
    words = (f"{kind}={logged[kind][1].run_id}" for kind in KINDS)
    process = start("python", "-c", script, *words, uri=uri)
    out, err = process.communicate(timeout=100)
    assert out.split() == [model.weights_sha256 for model in stored], err


@pytest.mark.parametrize("kind", KINDS)
def test_model_is_a_keras_file_and_no_pickle(logged, kind):
    folder = _folder(logged[kind][1].model_id)
    names = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}
    assert "data/model.keras" in names
    assert not [n for n in names if n.endswith((".pkl", ".pickle")) or "cloudpickle" in n]


def test_model_has_signature_example_and_pinned_requirements(logged):
    info = mlflow.models.get_model_info(f"models:/{logged['vanilla'][1].model_id}")
    (tensor,) = info.signature.inputs.inputs
    assert tensor.shape == (-1, 8, 8, 1) and info.signature.outputs is not None
    folder = _folder(logged["vanilla"][1].model_id)
    assert (folder / info.saved_input_example_info["artifact_path"]).is_file()
    lines = (folder / "requirements.txt").read_text().split()
    versions = provenance.package_versions()
    assert {f"{name}=={versions[name]}" for name in provenance.NUMERIC_PACKAGES} <= set(lines)


def test_model_belongs_to_its_run(logged):
    stored = logged["vanilla"][1]
    run = mlflow.MlflowClient().get_run(stored.run_id)
    assert [output.model_id for output in run.outputs.model_outputs] == [stored.model_id]
    assert run.data.tags["gauntlet.weights_sha256"] == stored.weights_sha256


def test_model_is_ready_and_linked_to_that_run(logged):
    stored = logged["vanilla"][1]
    model = mlflow.MlflowClient().get_logged_model(stored.model_id)
    assert (model.source_run_id, str(model.status)) == (stored.run_id, "READY")


@pytest.mark.parametrize("flavour", ["keras", "pyfunc"])
def test_mlflow_loads_the_model_without_pickles(logged, flavour):
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    model, stored = logged["vanilla"]
    load = {"keras": mlflow.keras.load_model, "pyfunc": mlflow.pyfunc.load_model}[flavour]
    predicted = load(f"models:/{stored.model_id}").predict(_images())
    np.testing.assert_allclose(predicted, model(_images()), rtol=1e-6)


def test_tampered_model_is_refused(logged):
    stored = logged["vanilla"][1]
    file = _folder(stored.model_id) / "data" / "model.keras"
    content = file.read_bytes()
    file.write_bytes(content + b"\0")
    try:
        with pytest.raises(DamagedRunError, match=rf"{stored.model_id}.* was changed .*anew\.$"):
            load_model(stored)
    finally:
        file.write_bytes(content)


def test_arrays_come_back_and_pickles_do_not(store, tiny):
    with _open(tiny("autoencoder")) as run:
        run.arrays("good.npz", classes=np.arange(3))
        run.arrays("bad.npz", a=np.array([{}]))
    found = read_sealed(run.id)
    assert found.arrays("good.npz")["classes"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="allow_pickle=False"):
        found.arrays("bad.npz")


@contextlib.contextmanager
def _as_nobody():
    """Root may write anywhere: become nobody, where we are root."""
    root = os.getuid() == 0
    if root:
        os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


def _refusal(monkeypatch, uri: str) -> str:
    """Return the one line with which a store is refused."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackingError) as error:
        stores.open_store()
    assert str(error.value).count("\n") == 0
    return str(error.value)


@pytest.mark.parametrize("path", ["missing/mlflow.db", "file/mlflow.db"])
def test_folder_that_is_none_is_refused(store, tmp_path, monkeypatch, path):
    (tmp_path / "file").touch()
    said = _refusal(monkeypatch, f"sqlite:///{tmp_path / path}")
    assert f"not writable: check the folder {(tmp_path / path).parent}" in said


@pytest.mark.parametrize(("mode", "named"), [(0o555, "check the folder"), (0o777, "that file")])
def test_read_only_store_is_refused(store, monkeypatch, mode, named):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own lets nobody in
        file = Path(folder, "mlflow.db")
        file.touch(0o444)
        Path(folder).chmod(mode)
        with _as_nobody():
            said = _refusal(monkeypatch, f"sqlite:///{file}")
        Path(folder).chmod(0o700)
    assert "is not writable" in said and named in said


def test_file_that_is_no_database_is_refused(store, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("what is this doing here? " * 10)
    said = _refusal(monkeypatch, f"sqlite:///{tmp_path}/notes.txt")
    assert "cannot be used" in said and "not a database" in said


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_unreachable_server_is_refused_without_its_password(store, monkeypatch, scheme):
    address = f"127.0.0.1:{free_port()}"
    said = _refusal(monkeypatch, f"{scheme}://me:hunter2@{address}/db")
    shown = f"http://{address}" if scheme == "http" else f"{scheme}://***@{address}"
    assert shown in said and "MLFLOW_TRACKING_URI" in said
    assert "hunter2" not in said


def test_server_that_accepts_and_never_answers_is_refused(store, monkeypatch):
    monkeypatch.setattr(stores, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = _refusal(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "cannot be reached" in said and "timed out" in said


def test_missing_driver_is_one_line(store, monkeypatch):
    monkeypatch.setattr(stores, "_check_reachable", lambda _: None)
    said = _refusal(monkeypatch, "postgresql+psycopg2://me:hunter2@127.0.0.1/db")
    assert "psycopg2" in said and "hunter2" not in said


@pytest.mark.parametrize("scheme", ["https", "postgresql+psycopg"])
def test_session_prints_no_password(monkeypatch, capsys, scheme):
    uri = f"{scheme}://me:hunter2@example.org/db"
    monkeypatch.setattr(sessions, "open_store", lambda: uri)
    with sessions.session("attack") as where:
        print(where)  # noqa: T201
    said = capsys.readouterr().out
    assert said.count("://***@example.org") == 2 and "hunter2" not in said


def test_store_does_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert stores.tracking_uri() == f"sqlite:///{stores.PROJECT_ROOT}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mine.db")
    assert stores.tracking_uri() == f"sqlite:///{tmp_path}/mine.db"


def test_artifacts_lie_beside_the_database(store, tiny, tmp_path):
    run = _track(store, tiny("autoencoder"))
    beside = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).parent
    expected = (beside / "mlartifacts" / "autoencoders" / run.info.run_id / "artifacts").as_uri()
    assert run.info.artifact_uri == expected
    assert list(tmp_path.iterdir()) == []  # nothing where the command was typed
