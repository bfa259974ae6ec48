"""Entry point `attack`: models (trained or reused) -> cells -> the table that tells the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import get_args

from gauntlet.config.attack import AttackConfig
from gauntlet.config.base import metric_step
from gauntlet.config.models import TrainOn
from gauntlet.config.published import MAGNET
from gauntlet.config.tables import MADE_OF
from gauntlet.data.dataset import Dataset
from gauntlet.report.attack.page import NORM_HEADER, as_document, header, norm_table, table
from gauntlet.report.attack.summary import Summary, summarise
from gauntlet.report.cell_result import CellResult
from gauntlet.report.document.files import texts
from gauntlet.steps.autoencoder import ensure_autoencoder
from gauntlet.steps.cell_runner import CellRunner
from gauntlet.steps.cells import Cell, Models, plan_cells
from gauntlet.steps.classifier import ensure_classifier
from gauntlet.steps.console import progress, say, show_table
from gauntlet.steps.finished_cells import read_cell
from gauntlet.steps.inputs import load_data
from gauntlet.steps.reuse import Reuse
from gauntlet.steps.session import session
from gauntlet.tracking.experiments import ATTACKS
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run

TRAIN_ON = get_args(TrainOn)


def run(config: AttackConfig) -> Summary:
    """Attack a defended classifier under every combination that the config asks for."""
    with session("attack") as where:
        data = load_data(config)
        for line in skipped(config):
            say(line)
        name = f"{config.autoencoder} + {config.classifier} {config.dataset} seed {config.seed}"
        with tracked_run(ATTACKS, name, config, tags={"gauntlet.step": "attack"}, entry=True) as it:
            it.uses_data(data.name, data.sha256, len(data.x_test), "evaluation")
            models = ensure_models(config, data)
            it.uses_models(model.model_id for model in models.all)
            it.tags(models.tags)
            cells = run_cells(config, data, models, it)
            summary = summarise(cells)
            _log_summary(it, config, summary)
        _show(config, summary, where)
    return summary


def skipped(config: AttackConfig) -> Iterator[str]:
    """Yield what was asked for and is not run, with its reason."""
    for defence, threat_model in config.skipped():
        yield f"skipped: threat model {threat_model} makes no sense for defence {defence}"
    for attack in config.idle_attacks():
        yield f"skipped: attack {attack} needs more than threat model black_box grants"


def ensure_models(config: AttackConfig, data: Dataset) -> Models:
    """Return every model that the config's combinations need, training what is missing."""
    combinations = config.combinations()
    wanted = {part for defence, _ in combinations for part in MADE_OF[defence]}
    found = {}
    if "autoencoder" in wanted:
        found["autoencoder"] = ensure_autoencoder(config.autoencoder_config(), data)
    for kind in MAGNET:
        if kind in wanted and (kind == "magnet_1" or "l1" in config.detectors):
            found[kind] = ensure_autoencoder(config.autoencoder_config(kind), data)
    for train_on in TRAIN_ON:
        if train_on in wanted:
            before = None if train_on == "raw" else found["autoencoder"]
            found[train_on] = ensure_classifier(config.classifier_config(train_on), data, before)
    if any(threat_model == "transfer" for _, threat_model in combinations):
        surrogate = config.classifier_config("raw", "surrogate")
        found["surrogate"] = ensure_classifier(surrogate, data, None)
    return Models(**found)


def run_cells(
    config: AttackConfig,
    data: Dataset,
    models: Models,
    parent: TrackedRun,
    tolerate: Callable[[Cell, Exception], None] | None = None,
) -> list[CellResult]:
    """Return the result of every cell of a config, on the test images of `data`.

    Args:
        config: what to attack, and how.
        data: its test images are attacked.
        models: see `ensure_models`.
        parent: run whose children the cells' runs are.
        tolerate: told of a cell that fails, instead of ending here; the cell has no result then.
    """
    runner = CellRunner(config, data)
    cells = plan_cells(config, data, models)
    results: dict[Cell, CellResult] = {}
    reuse = Reuse(at_once=False)
    with progress("attacking", len(cells)) as advance:
        # Cells that share their adversarial images stand side by side, and craft them once.
        for cell in sorted(cells, key=lambda c: c.crafting_key):
            try:
                run = partial(runner.run, cell, parent)
                results[cell] = read_cell(reuse.reuse_or_compute(cell.fingerprint, run))
            except Exception as error:
                if tolerate is None:
                    raise
                tolerate(cell, error)
            advance(cell.name)
    reuse.say_counts("cells")
    return [results[cell] for cell in cells if cell in results]


def _log_summary(run: TrackedRun, config: AttackConfig, summary: Summary) -> None:
    from gauntlet.evaluation.figures import draw_curves

    worst = {}
    for row in summary.rows:
        key = f"{row.defence}/{row.threat_model}"
        run.metrics([(f"clean/accuracy/{row.defence}", row.clean.value)])
        accuracies = [row.worst(i) for i in range(len(row.epsilons))]
        for epsilon, accuracy in zip(row.epsilons, accuracies, strict=True):
            run.metrics([(f"worst_case/accuracy/{key}", accuracy.value)], metric_step(epsilon))
        worst[f"{row.defence}, {row.threat_model}"] = (row.epsilons, [a.value for a in accuracies])
        curves = {c.attack: (c.epsilons, c.accuracies) for c in row.cells}
        figure = draw_curves(curves, f"{row.defence} under {row.threat_model}")
        run.figure(f"curves/{row.defence}_{row.threat_model}.png", figure)
    run.metrics(summary.headline_metrics)
    run.figure("worst_case.png", draw_curves(worst, "Worst case over attacks, example by example"))
    page = as_document(summary, "Attack run", notes(config, run))
    for path, text in texts(page, "summary").items():
        run.text(path, text)
    run.json(
        "cells.json",
        {
            f"{c.defence}/{c.threat_model}/{c.attack}": c.run_id
            for row in summary.rows
            for c in row.cells
        },
    )


def notes(config: AttackConfig, run: TrackedRun) -> list[str]:
    """Return what a reader must know to trust or redo the table."""
    return [
        f"MLflow run `{run.id}`, one seed ({config.seed}); intervals over test images, not seeds",
        f"data set {config.dataset}, {config.classifier} classifier, {config.epochs} epochs",
        f"{config.autoencoder} autoencoder, trained with {config.loss}",
        "robust accuracy is against the true label; worst case: any attack fells the image",
        "`encoded` perturbs the autoencoder's output, whose scale is free: it tests no defence",
        *skipped(config),
    ]


def _show(config: AttackConfig, summary: Summary, where: str) -> None:
    title = f"Robust accuracy, {config.dataset}, one seed ({config.seed})"
    show_table(title, header(summary), table(summary))
    if norms := norm_table(summary):
        show_table("Minimum-norm attacks, success / all attacked", NORM_HEADER, norms)
    for line in summary.headlines():
        say(line)
    for line in summary.warnings():
        say(f"warning: {line}")
    say(f"figures, matrices and every example: {where}")
