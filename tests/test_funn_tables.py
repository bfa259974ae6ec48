"""The second paper's tables: what is attacked, how seeds become a number, what stands beside it."""

from __future__ import annotations

import json
import math

import mlflow
import numpy as np
import pytest

from gauntlet.config.entry_points import parse
from gauntlet.config.funn_tables import FunnTablesConfig
from gauntlet.config.tables import STRONG
from gauntlet.errors import UsageError
from gauntlet.evaluation.statistics import over_seeds
from gauntlet.report.cell_result import CellResult
from gauntlet.report.funn_tables import (
    HEADER_1,
    HEADER_2,
    TABLE_1,
    Key,
    Tables,
    as_json,
    bars,
    headlines,
    markdown,
    table_1,
    table_2,
)
from gauntlet.steps import funn_tables

N = 10
NETWORKS = {network.name: network for network in FunnTablesConfig(seeds=1).networks()}


def _cell(key: Key, fallen: range, noise: float) -> CellResult:
    """Return a cell of ten images, all right before; `fallen` fall at every budget."""
    attacked = np.zeros((2, N), int)
    attacked[:, list(fallen)] = 1
    none = np.zeros(N, int)
    return CellResult(key.defence, key.threat_model, key.attack, (0.05, 0.1), none, none, attacked,
                      np.full((2, N), noise), True, "run")  # fmt: skip


def _tables(*seeds: tuple[range, float]) -> Tables:
    keys = [Key(n, p.name, a) for n in ("classic", "funn") for p in NETWORKS[n].parts
            for a in p.config.attacks]  # fmt: skip
    (table_2,) = NETWORKS["magnet"].parts
    keys += [Key("magnet", "table 2", a, *pair) for pair in table_2.config.combinations()
             for a in table_2.config.attacks]  # fmt: skip
    return Tables({key: [_cell(key, *seed) for seed in seeds] for key in keys})


# --- what is attacked ---


def test_networks_are_those_of_the_paper() -> None:
    seen = [(n.name, n.seed) for n in FunnTablesConfig(seed=4, seeds=2).networks()]
    pairs = [("classic", 4), ("funn", 4), ("classic", 5), ("funn", 5)]
    assert seen == [*pairs, ("magnet", 4)]
    for network, seed in zip(FunnTablesConfig(seed=4, seeds=2).networks(), (4, 4, 5, 5, 4),
                             strict=True):  # fmt: skip
        assert {part.config.seed for part in network.parts} == {seed}


def test_funn_is_trained_and_attacked_as_published() -> None:
    parts = {part.name: part for part in NETWORKS["funn"].parts}
    config = parts["steps 50"].config
    assert (config.epochs, config.init_epochs, config.batch_size) == (40, 9, 128)
    assert (config.gamma, config.beta, config.constraint) == (5.0, 0.01, "at_least")
    assert (config.deepfool_variant, config.deepfool_steps) == ("foolbox1", 50)
    assert config.budgets("fgsm") == (0.005,) and parts["steps 50"].images == "all"
    assert parts["strong"].config.attacks == (*STRONG, "cw_l2")
    assert parts["lowest"].config.local_search_selection == "lowest"


def test_classic_differs_from_funn_in_the_autoencoder_alone() -> None:
    for classic, funn in zip(NETWORKS["classic"].parts, NETWORKS["funn"].parts, strict=True):
        other = classic.config.model_copy(update={"autoencoder": "funn"})
        assert (classic.name, classic.images, other) == (funn.name, funn.images, funn.config)


def test_every_line_is_measured() -> None:
    keys = set(_tables((range(2), 1.0)).cells)
    assert {Key(n, line.part, line.attack) for line in TABLE_1 for n in ("classic", "funn")} <= keys


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seeds": "0"}, "--seeds: .*greater than or equal to 1; received '0'"),
        ({"few": "0"}, "--few: "),
        ({"epochs": "3"}, "expected at most the 3 epochs of both phases"),
        ({"magnet_epochs": "none"}, "--magnet_epochs: "),
    ],
    ids=str,
)
def test_refusals(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse("funn_tables", given)


# --- numbers ---


def test_over_seeds_by_hand() -> None:
    mean, low, high = over_seeds([0.4, 0.5, 0.6])
    # t(0.975, 2) = 4.3027; standard error 0.1 / sqrt(3).
    assert (mean, low) == pytest.approx((0.5, 0.5 - 4.302653 * 0.1 / math.sqrt(3)))
    assert high == pytest.approx(1 - low)
    assert over_seeds([0.01, 0.2])[1:] == (0.0, 1.0)
    assert over_seeds([0.3]) == (0.3, 0.3, 0.3)


def test_one_seed_has_its_interval_over_images() -> None:
    key = Key("funn", "steps 50", "fgsm")
    tables = _tables((range(2), 1.5))
    assert tables.rate(key) == tables.cells[key][0].success_rate
    assert tables.rate(key).value == 0.2 and tables.noise_level(key) == 1.5


def test_noise_level_leaves_out_seeds_without_a_success() -> None:
    key = Key("funn", "steps 50", "fgsm")
    assert _tables((range(2), 1.5), (range(0), 9.0)).noise_level(key) == 1.5
    assert math.isnan(_tables((range(0), 9.0)).noise_level(key))


def test_ensemble_counts_an_image_once_whoever_breaks_it() -> None:
    tables = _tables((range(2), 1.0))
    key = Key("funn", "strong", "square")
    cells = {**tables.cells, key: [_cell(key, range(1, 5), 1.0)]}
    assert Tables(cells).ensemble("funn").value == 0.5  # 0 and 1 by all others, 1 to 4 by Square


# --- tables ---


def test_table_1_has_the_papers_numbers_beside_ours() -> None:
    lines = list(table_1(_tables((range(2), 1.5), (range(4), 2.5))))
    assert all(len(line) == len(HEADER_1) for line in lines)
    first = lines[0]
    assert first[:2] == ["DeepFool L2, 50 steps", "10"]
    assert first[2] == first[4] == "30.00 % [0.00, 100.00] / 2"
    assert (first[3], first[5]) == ("94.41 % / 1.25", "0.54 % / 0.0075")


def test_table_2_has_magnet_and_funn() -> None:
    lines = list(table_2(_tables((range(2), 1.0))))
    assert all(len(line) == len(HEADER_2) for line in lines)
    assert [(line[4], line[6]) for line in lines] == [
        ("0.6 %", "4.13 %"), ("3.2 %", "1.61 %"), ("4.8 %", "1.25 %"),
    ]  # fmt: skip
    assert lines[0][1].startswith("20.00 % [")


def test_markdown_ends_with_what_the_strong_attacks_leave() -> None:
    tables = _tables((range(2), 1.0))
    text = markdown(tables, ["a note"])
    assert "- a note" in text and "| Single Pixel | 10 |" in text
    classic, funn = headlines(tables)
    assert classic.startswith("classic: robust accuracy 0.8000 [") and f"**{funn}**" in text


def test_json_names_each_run() -> None:
    entries = as_json(_tables((range(0), 1.0), (range(2), 1.0)))[
        "funn/steps 50/fgsm/features/white_box"
    ]
    assert [e["run_id"] for e in entries] == ["run", "run"]
    assert [e["noise_level"] for e in entries] == [None, 1.0]
    assert entries[1]["success_rate"]["value"] == 0.2


def test_bars_leave_out_what_the_paper_has_not() -> None:
    series = bars(_tables((range(2), 1.0)))
    assert list(series) == ["classic, ours", "classic, paper", "funn, ours", "funn, paper"]
    assert len(series["funn, ours"]) == len(TABLE_1) > len(series["funn, paper"])
    assert series["funn, paper"]["DeepFool L2, 200 steps"] == (0.0135, 0.0135, 0.0135)


# --- from the data to the tables ---

TINY = {
    "preset": "smoke", "test_size": "20", "filters": "4,8", "epochs": "2", "init_epochs": "1",
    "magnet_epochs": "2", "magnet_classifier_epochs": "1", "few": "8", "local_search_images": "2",
    "square_queries": "10", "seeds": "2",
}  # fmt: skip


@pytest.mark.slow
def test_from_nothing_to_tables_and_again_from_the_store(store, capsys) -> None:
    tables = funn_tables.run(parse("funn_tables", TINY))
    (parent,) = _runs(store, "tags.`gauntlet.step` = 'funn_tables'")
    children = _runs(store, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert len(children) == sum(len(cells) for cells in tables.cells.values())
    found = json.loads(mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/funn_tables.json"))
    for entries in found.values():
        for entry in entries:
            metrics = store.get_run(entry["run_id"]).data.metrics
            assert metrics["adv/success_rate"] == entry["success_rate"]["value"]
    text = mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/funn_tables.md")
    assert parent.info.run_id in text and "2 seeds from 0" in text
    assert "filters 4, 8, 2 epochs" in text and "autoencoders 2 epochs, classifier 1" in text
    names = {file.path for file in store.list_artifacts(parent.info.run_id)}
    assert {"table_1.png", "funn_tables.md", "funn_tables.json"} <= names
    capsys.readouterr()
    assert as_json(funn_tables.run(parse("funn_tables", TINY))) == as_json(tables)
    assert "computed" not in capsys.readouterr().out


def _runs(store, condition: str) -> list:
    return store.search_runs(["0", *(e.experiment_id for e in store.search_experiments())],
                             condition)  # fmt: skip
