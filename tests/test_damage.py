"""Whatever is read back is what was measured: a damaged record is a miss, and says so."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import mlflow
import numpy as np
import pytest
from servers import tracking_to

from gauntlet.config.compare import CompareConfig
from gauntlet.config.data import RunConfig
from gauntlet.entry_points import attack, compare
from gauntlet.errors import UsageError
from gauntlet.pipeline.reuse import Reuse
from gauntlet.tracking.finished import read_sealed


def _path(uri: str) -> Path:
    return Path(unquote(uri.removeprefix("file://")))


class Measured(NamedTuple):
    """A copy of a store in which one cell was measured, and the process that uses it."""

    folder: Path
    client: mlflow.MlflowClient
    config: RunConfig
    cell: str
    training: str

    def artifacts(self, run_id: str) -> Path:
        """The folder of a run's artifacts."""
        return _path(self.client.get_run(run_id).info.artifact_uri)

    def sql(self, statement: str, *values: Any) -> None:
        """Change the database behind MLflow's back."""
        with sqlite3.connect(self.folder / "mlflow.db") as database:
            assert database.execute(statement, values).rowcount

    def model(self) -> str:
        """The id of the trained model."""
        return self.client.get_run(self.training).data.tags["gauntlet.model_id"]


@pytest.fixture(scope="module")
def one_cell(attacked, tiny) -> RunConfig:
    """One of the cells of the shared attack run."""
    return tiny("attack", attacks="fgsm", defence="none", threat_models="white_box")


@pytest.fixture
def copied(attacked, tmp_path) -> Path:
    """A copy of the shared store and its artifacts in another folder."""
    source = Path(attacked.uri.removeprefix("sqlite:///")).parent
    return shutil.copytree(source, tmp_path / "a copy")


@pytest.fixture
def measured(copied, attacked, one_cell, tmp_path) -> Iterator[Measured]:
    row = next(row for row in attacked.summary.rows if row.defence == "none")
    cell = row.cells[0].run_id
    with tracking_to(f"sqlite:///{copied}/mlflow.db", tmp_path) as client:
        training = client.get_run(cell).data.tags["gauntlet.input.raw"]
        yield Measured(copied, client, one_cell, cell, training)


def _pretend_robust(one: Measured) -> str:
    """Let every attacked image keep its class, in a file that is as whole as before."""
    file = one.artifacts(one.cell) / "examples.npz"
    with np.load(file) as arrays:
        edited = dict(arrays)
    edited["attacked"] = np.broadcast_to(edited["labels"], edited["attacked"].shape)
    np.savez_compressed(file, **edited)
    return f"artifact examples.npz of run {one.cell} was changed"


def _flip_byte(one: Measured) -> str:
    file = one.artifacts(one.cell) / "confusion_matrices.json"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    return f"artifact confusion_matrices.json of run {one.cell} was changed"


def _delete_picture(one: Measured) -> str:
    (one.artifacts(one.cell) / "images.png").unlink()
    return f"artifact images.png of run {one.cell} is missing"


def _edit_seal(one: Measured) -> str:
    with (one.artifacts(one.cell) / "seal.json").open("a") as file:
        file.write(" ")
    return f"artifact seal.json or tag gauntlet.seal of run {one.cell} was changed"


def _take_artifacts_away(one: Measured) -> str:
    shutil.rmtree(one.folder / "mlartifacts")
    return f"artifact seal.json of run {one.training} is missing"


def _delete_model(one: Measured) -> str:
    one.client.delete_logged_model(one.model())
    return f"model {one.model()} of run {one.training} was deleted"


def _edit_model(one: Measured) -> str:
    folder = _path(one.client.get_logged_model(one.model()).artifact_location)
    with (folder / "data" / "model.keras").open("ab") as file:
        file.write(b"\0")
    return f"the file of model {one.model()} of run {one.training} was changed"


REASONS = {
    "gauntlet.fingerprint": "tag {tag} of run {id} was changed or deleted",
    "gauntlet.seal": "run {id} has no tag {tag}",
}


def _without_tag(name: str, of: str = "cell") -> Callable[[Measured], str]:
    def damage(one: Measured) -> str:
        run_id = getattr(one, of)
        one.client.delete_tag(run_id, name)
        return REASONS.get(name, "tag {tag} of run {id} was deleted").format(tag=name, id=run_id)

    return damage


def _with_tag(name: str, of: str = "cell") -> Callable[[Measured], str]:
    def damage(one: Measured) -> str:
        run_id = getattr(one, of)
        one.client.set_tag(run_id, name, "edited")
        return f"tag {name} of run {run_id} was changed"

    return damage


def _edit_parameter(one: Measured) -> str:
    one.sql("update params set value = '9' where key = 'config/seed' and run_uuid = ?", one.cell)
    return f"parameter config/seed of run {one.cell} was changed"


DAMAGES = {
    "an edited result": _pretend_robust,
    "a flipped byte": _flip_byte,
    "a deleted picture": _delete_picture,
    "an edited seal": _edit_seal,
    "no artifacts at all": _take_artifacts_away,
    "a deleted model": _delete_model,
    "an edited model": _edit_model,
    "a deleted tag": _without_tag("gauntlet.attack"),
    "a deleted fingerprint": _without_tag("gauntlet.fingerprint"),
    "a deleted seal": _without_tag("gauntlet.seal"),
    "a deleted digest": _without_tag("gauntlet.model_file_sha256", "training"),
    "an edited tag": _with_tag("gauntlet.defence"),
    "an edited digest": _with_tag("gauntlet.weights_sha256", "training"),
    "an edited parameter": _edit_parameter,
}


class MissedError(Exception):
    """A step would be computed."""


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_record_is_a_miss_with_its_reason(measured, damage, monkeypatch) -> None:
    def missed(reuse, fingerprint, compute, reason):
        raise MissedError(reason)

    reason = damage(measured)
    monkeypatch.setattr(Reuse, "_compute", missed)
    with pytest.raises(MissedError, match=re.escape(reason)):
        attack.run(measured.config)


@pytest.mark.parametrize("damage", [_pretend_robust, _delete_model])
def test_what_was_damaged_is_computed_again_once(measured, attacked, damage, capsys) -> None:
    reason = damage(measured)
    (row,) = attack.run(measured.config).rows
    assert f"computed because: {reason}" in capsys.readouterr().out
    before = next(row for row in attacked.summary.rows if row.defence == "none").cells[0]
    assert np.array_equal(row.cells[0].attacked, before.attacked)
    again = attack.run(measured.config)
    assert "computed" not in capsys.readouterr().out
    assert again.rows[0].cells[0].run_id == row.cells[0].run_id


def test_metric_that_was_edited_in_the_database_is_not_believed(measured) -> None:
    measured.sql(
        "update metrics set value = 1 where key = 'clean/accuracy' and run_uuid = ?", measured.cell
    )
    assert read_sealed(measured.cell).curves["clean/accuracy"][0] < 1


@pytest.mark.parametrize("damage", [_pretend_robust, _delete_picture])
def test_comparison_of_a_damaged_run_is_refused_in_one_line(
    measured, attacked, tmp_path, damage
) -> None:
    other = next(row for row in attacked.summary.rows if row.defence == "reformer").cells[0]
    damage(measured)
    runs = f"{measured.cell},{other.run_id}"
    config = CompareConfig(runs=runs, output=str(tmp_path / "out"))
    with pytest.raises(UsageError, match=r"--runs: .*run [0-9a-f]{32}.*: attack again") as refused:
        compare.run(config)
    assert "\n" not in str(refused.value) and not (tmp_path / "out").exists()


def test_moved_store_finds_its_artifacts_and_computes_nothing(
    copied, attacked, tmp_path, capsys
) -> None:
    """Once copied, then renamed: the original is still there, the copy's first folder is not."""
    for name in ("one folder", "another"):
        place = copied.rename(tmp_path / name)
        with tracking_to(f"sqlite:///{place}/mlflow.db", tmp_path) as client:
            summary = attack.run(attacked.config)
            assert "computed" not in capsys.readouterr().out
            uris = {client.get_run(c.run_id).info.artifact_uri for c in summary.attacks}
            assert all(uri.startswith((place / "mlartifacts").as_uri()) for uri in uris)
        copied = place


def test_reading_leaves_no_temporary_files(measured, tmp_path, monkeypatch) -> None:
    attack.run(measured.config)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    attack.run(measured.config)
    assert not list(scratch.iterdir())


def test_store_that_left_its_artifacts_behind_still_names_them(attacked, tmp_path, capsys) -> None:
    """The database alone was copied: what is new stays where its experiment is."""
    source = Path(attacked.uri.removeprefix("sqlite:///"))
    shutil.copy(source, tmp_path / "mlflow.db")
    for number in range(2):
        with tracking_to(f"sqlite:///{tmp_path}/mlflow.db", tmp_path) as client:
            attack.run(attacked.config)
            assert "computed" not in capsys.readouterr().out
            client.create_experiment(f"new {number}")
            (tmp_path / "mlartifacts" / "something").mkdir(exist_ok=True)
