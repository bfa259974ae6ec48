"""Certifications end to end on a few digits: logged, drawn, reused, and checked when read back."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import mlflow
import numpy as np
import pytest
from stored import load_arrays
from vocabulary import unnamed

from gauntlet.entry_points import attack, classifier
from gauntlet.errors import UsageError
from gauntlet.report.attack.page import BRACKET_HEADER
from gauntlet.tracking.names import Of

GIVEN = {
    "attacks": "fgsm",
    "threat_models": "white_box",
    "defence": "none,encoded",
    "certificates": "relaxation",
    "epsilons": "0,0.02,0.1",
}


def test_certified_accuracy_stands_below_what_attacks_leave(store, tiny, capsys) -> None:
    summary = attack.run(tiny("attack", **GIVEN))
    said = capsys.readouterr().out
    assert "skipped: certificate relaxation needs networks of dense" in said
    assert "received exponential in vanilla of defence encoded" in said
    (bracket,), (one,) = summary.brackets, summary.certified
    child = store.get_run(one.run_id)
    parent = store.get_run(child.data.tags["mlflow.parentRunId"])
    proven = load_arrays(one.run_id, "proofs.npz")["proven"]
    for index, step in enumerate((0, 20, 100)):
        (logged,) = _at(store, child, "certified/accuracy", step)
        assert logged == proven[index].mean() == bracket.lower(index).value
        assert _at(store, parent, "certified/accuracy/none", step) == [logged]
        assert logged <= bracket.upper(index).value <= 1
    assert proven[1].any()
    files = {file.path for file in store.list_artifacts(parent.info.run_id)}
    assert {"bracket_none.png", "certifications.json"} <= files
    page = mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/summary.md")
    assert f"| {' | '.join(BRACKET_HEADER)} |" in page and str(bracket.lower(1)) in page
    ids = mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/certifications.json")
    assert json.loads(ids) == {"none/relaxation": one.run_id}
    kinds, unknown = unnamed(store)
    assert Of.CERTIFICATION in kinds and unknown == []
    _check_reuse(store, tiny, one, capsys)


def _at(client: mlflow.MlflowClient, run: mlflow.entities.Run, metric: str, step: int) -> list:
    curve = client.get_metric_history(run.info.run_id, metric)
    return [point.value for point in curve if point.step == step]


def _check_reuse(store, tiny, one, capsys) -> None:
    """It is reused, whatever the seed of attacks; a proof that was edited is computed anew."""
    capsys.readouterr()
    assert attack.run(tiny("attack", **GIVEN)).certified[0].run_id == one.run_id
    assert f"certification relaxation on none: reused run {one.run_id}" in capsys.readouterr().out
    folder = Path(unquote(store.get_run(one.run_id).info.artifact_uri.removeprefix("file://")))
    with np.load(folder / "proofs.npz") as arrays:
        edited = {**arrays, "proven": np.ones_like(arrays["proven"])}
    np.savez_compressed(folder / "proofs.npz", **edited)
    (again,) = attack.run(tiny("attack", **GIVEN)).certified
    assert "computed because: artifact proofs.npz" in capsys.readouterr().out
    assert np.array_equal(again.proven, one.proven)


@pytest.mark.parametrize("name", ["wong2018", "wong2018_fashion"])
def test_published_network_takes_the_images_that_it_was_made_for(store, tiny, name) -> None:
    with pytest.raises(UsageError) as refusal:
        classifier.run(tiny("classifier", classifier=name))
    assert str(refusal.value) == (
        f"--classifier: {name} takes 28x28x1 images of 10 classes; received 8x8x1 images of 10 "
        "classes (--dataset digits)."
    )
    assert [
        r for e in store.search_experiments() for r in store.search_runs([e.experiment_id])
    ] == []
