"""Attack runs on features and MagNet, end to end on a few digits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import mlflow
import numpy as np
import pytest
from servers import tracking_to
from stored import stored_model
from vocabulary import unnamed

from gauntlet.cells.result import CellResult
from gauntlet.config.attack import AttackConfig
from gauntlet.defences.features import FeaturesModel
from gauntlet.defences.magnet import MagNet
from gauntlet.entry_points import attack
from gauntlet.errors import UsageError
from gauntlet.pipeline.inputs import load_data
from gauntlet.tracking.artifacts import load_model
from gauntlet.tracking.names import Of

pytestmark = pytest.mark.slow

MARKS = ("l2", "l1", "jsd_10", "jsd_40")
GIVEN = {
    "defence": "none,features,magnet",
    "threat_models": "white_box,gray_box",
    "detectors": "l2,l1,jsd",
    "false_positive_rate": "0.05",
    "attacks": "fgsm",
    "epsilons": "0,0.3",
    "classifier_epochs": "5",
    "head_units": "16",
}


class Ran(NamedTuple):
    client: mlflow.MlflowClient
    config: AttackConfig
    cells: dict[tuple[str, str], CellResult]

    def metrics(self, defence: str, threat_model: str = "white_box") -> dict[str, float]:
        """Return the last value of each metric of a cell."""
        return self.client.get_run(self.cells[defence, threat_model].run_id).data.metrics

    def model(self, defence: str, name: str):
        """Return a model that a cell used."""
        tags = self.client.get_run(self.cells[defence, "white_box"].run_id).data.tags
        return load_model(stored_model(tags[f"gauntlet.input.{name}"]))


@pytest.fixture(scope="module")
def ran(new_store, tiny, tmp_path_factory) -> Iterator[Ran]:
    config = tiny("attack", **GIVEN)
    with tracking_to(new_store(), tmp_path_factory.mktemp("defences")) as client:
        summary = attack.run(config)
        cells = {(c.defence, c.threat_model): c for row in summary.rows for c in row.cells}
        yield Ran(client, config, cells)


MAGNET_CELLS = [("magnet", name) for name in ("white_box", "gray_box")]
at_magnet = pytest.mark.parametrize("cell", MAGNET_CELLS, ids=lambda cell: cell[1])


def test_cells(ran) -> None:
    assert set(ran.cells) == {("none", "white_box"), ("features", "white_box"), *MAGNET_CELLS}


def test_runs_hold_nothing_that_the_vocabulary_does_not_name(ran) -> None:
    assert unnamed(ran.client) == ({Of.ATTACK, Of.CELL, Of.TRAINING, Of.EXAMINATION}, [])


def test_features_are_judged_behind_the_encoder(ran) -> None:
    model = FeaturesModel(ran.model("features", "features"), ran.model("features", "autoencoder"))
    cell = ran.cells["features", "white_box"]
    assert np.array_equal(model.predict(load_data(ran.config).x_test), cell.clean)
    assert cell.accuracies[1] < cell.accuracies[0]


@at_magnet
def test_thresholds_are_those_of_the_held_out_images(ran, cell) -> None:
    raw, first, second = (ran.model("magnet", name) for name in ("raw", "magnet_1", "magnet_2"))
    parts = MagNet(raw, first, second=second, detectors=ran.config["detectors"])
    magnet = parts.calibrated(load_data(ran.config).x_train[-200:], 0.05)
    logged = ran.metrics(*cell)
    assert [logged[f"magnet/threshold_{name}"] for name in MARKS] == list(magnet.thresholds)
    assert np.array_equal(magnet.predict(load_data(ran.config).x_test), ran.cells[cell].clean)


@at_magnet
def test_parts_are_scored_as_the_whole(ran, cell) -> None:
    logged, result = ran.metrics(*cell), ran.cells[cell]
    assert logged["magnet/accuracy_both"] == logged["adv/accuracy"] == result.accuracies[1]
    assert logged["magnet/accuracy_both"] >= logged["magnet/accuracy_reformer"]
    assert logged["magnet/accuracy_detector"] >= logged["magnet/accuracy_none"]
    assert logged["magnet/false_positive_rate"] == (result.clean == -1).mean() < 0.5
    assert logged["clean/accuracy"] == (result.clean == result.labels).mean()
    rejected = logged["magnet/false_positive_rate"]
    assert result.accuracies[0] == pytest.approx(logged["clean/accuracy"] + rejected)


def test_gray_box_is_crafted_on_the_undefended_classifier(ran) -> None:
    bare = ran.metrics("none")["adv/accuracy"]
    assert ran.metrics("magnet", "gray_box")["magnet/accuracy_none"] == bare
    assert ran.metrics("magnet", "white_box")["magnet/accuracy_none"] != bare


def test_matrices_name_what_was_rejected(ran) -> None:
    cell = ran.cells["magnet", "gray_box"]
    text = mlflow.artifacts.load_text(f"runs:/{cell.run_id}/confusion_matrices.json")
    table = json.loads(text)["0.3"]["attacked"]
    assert table["classes"][-1] == "rejected" and len(table["counts"]) == 11
    assert np.array(table["counts"])[:, -1].sum() == (cell.attacked[1] == -1).sum() > 0


def test_other_detectors_are_other_cells_of_the_same_models(ran, tiny, capsys) -> None:
    given = GIVEN | {"defence": "magnet", "threat_models": "gray_box", "detectors": "l2"}
    (row,) = attack.run(tiny("attack", **given)).rows
    said = capsys.readouterr().out
    assert "cells: 1 computed because: detectors" in said and said.count(": reused run ") == 2
    logged = ran.client.get_run(row.cells[0].run_id).data.metrics
    thresholds = {name for name in logged if name.startswith("magnet/threshold")}
    assert thresholds == {"magnet/threshold_l2"}


def test_magnet_wants_more_images_than_it_holds_out(store, tiny) -> None:
    said = "^--validation_size: expected less than the 150 training images; received 200.$"
    with pytest.raises(UsageError, match=said):
        attack.run(tiny("attack", defence="magnet", train_size="150"))
