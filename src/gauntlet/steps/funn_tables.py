"""Entry point `funn_tables`: trainings and attacks of many seeds -> the second paper's tables."""

from __future__ import annotations

from collections import defaultdict

from gauntlet.config.funn_tables import FunnTablesConfig, Network
from gauntlet.data.dataset import Dataset
from gauntlet.report.cell_result import CellResult
from gauntlet.report.funn_tables import (
    HEADER_1,
    HEADER_2,
    Key,
    Tables,
    as_json,
    bars,
    headlines,
    markdown,
    table_1,
    table_2,
)
from gauntlet.steps.attack import ensure_models, run_cells
from gauntlet.steps.console import say, show_table
from gauntlet.steps.inputs import load_data
from gauntlet.steps.session import session
from gauntlet.tracking.experiments import ATTACKS
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run


def run(config: FunnTablesConfig) -> Tables:
    """Train what is missing, attack it, fill the tables."""
    with session("funn_tables") as where:
        networks = list(config.networks())
        data = load_data(networks[0].parts[0].config)
        name, tags = "tables of the second paper", {"gauntlet.step": "funn_tables"}
        with tracked_run(ATTACKS, name, config, tags=tags, entry=True) as it:
            it.uses_data(data.name, data.sha256, len(data.x_test), "evaluation")
            cells: dict[Key, list[CellResult]] = defaultdict(list)
            for network in networks:
                for key, result in _attack(network, data, it).items():
                    cells[key].append(result)
            tables = Tables(cells)
            _log(it, config, tables)
        _show(tables, where)
    return tables


def _attack(network: Network, data: Dataset, parent: TrackedRun) -> dict[Key, CellResult]:
    say(f"{network.name}, seed {network.seed}")
    models = ensure_models(network.parts[0].config, data)
    parent.uses_models(model.model_id for model in models.all)
    results = {}
    for name, config, images in network.parts:
        say(f"{network.name}, seed {network.seed}, {name}: {_images(data, images)} images")
        some = data.take(None, _images(data, images))
        for cell in run_cells(config, some, models, parent):
            results[Key(network.name, name, cell.attack, cell.defence, cell.threat_model)] = cell
    return results


def _images(data: Dataset, wanted: int | str) -> int:
    """Return how many test images to attack; a small data set may have fewer than wanted."""
    available = len(data.x_test)
    return available if isinstance(wanted, str) else min(wanted, available)


def _log(run: TrackedRun, config: FunnTablesConfig, tables: Tables) -> None:
    from gauntlet.evaluation.figures import draw_bars

    for key, cells in tables.cells.items():
        name = f"success_rate/{'/'.join(key)}".replace(" ", "_")
        for seed, cell in enumerate(cells, config.seed):
            run.metrics([(name, cell.success_rate.value)], seed)
    run.text("funn_tables.md", markdown(tables, notes(config, run)))
    run.json("funn_tables.json", as_json(tables))
    run.figure("table_1.png", draw_bars(bars(tables), "Table 1: success rates"))


def notes(config: FunnTablesConfig, run: TrackedRun) -> list[str]:
    """Return what a reader must know to trust or redo the tables."""
    several = f"{config.seeds} seeds from {config.seed}"
    seeds = several if config.seeds > 1 else f"one seed ({config.seed})"
    funn, magnet = (list(config.networks())[i].parts[0].config for i in (1, -1))
    schedule = magnet.classifier_config("raw").schedule
    return [
        f"MLflow run `{run.id}`, {seeds}, data set {config.dataset}",
        f"FUNN and classic: filters {', '.join(map(str, funn.filters))}, {funn.epochs} epochs",
        f"MagNet: autoencoders {magnet.epochs} epochs, classifier {schedule.epochs}",
        "ours: mean over seeds with its 95 % t interval; of one seed, Wilson's over images",
        "success rate: right before and wrong after / all attacked images",
        "MagNet: one seed; oblivious: crafted on the bare classifier, as its authors did",
    ]


def _show(tables: Tables, where: str) -> None:
    show_table("Table 1: success rate / noise level", HEADER_1, list(table_1(tables)))
    show_table("Table 2: success rate", HEADER_2, list(table_2(tables)))
    for line in headlines(tables):
        say(line)
    say(f"every number with its run: funn_tables.json; {where}")
