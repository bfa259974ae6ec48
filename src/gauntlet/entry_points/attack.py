"""Entry point `attack`: models (trained or reused) -> cells -> the table that tells the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gauntlet.catalogue.autoencoders import AUTOENCODERS
from gauntlet.catalogue.defences import AUTOENCODER
from gauntlet.catalogue.trainings import Trainable, Training
from gauntlet.catalogue.units import BudgetNorm, metric_step
from gauntlet.cells.plan import parts_of
from gauntlet.config.attack import AttackConfig
from gauntlet.pipeline.cells import EXPERIMENT, run_cells
from gauntlet.pipeline.certifications import run_certifications
from gauntlet.pipeline.console import say, show_table
from gauntlet.pipeline.inputs import load_data
from gauntlet.pipeline.networks import Networks, ensure_networks, input_tags
from gauntlet.pipeline.session import session
from gauntlet.report.attack.costs import points
from gauntlet.report.attack.curves import curves_of
from gauntlet.report.attack.page import (
    BRACKET_HEADER,
    NORM_HEADER,
    as_document,
    bracket_table,
    header,
    norm_table,
    table,
)
from gauntlet.report.attack.summary import Summary, summarise
from gauntlet.report.document.files import texts
from gauntlet.tracking import names
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run

if TYPE_CHECKING:
    from gauntlet.evaluation.figures import Curve


def run(config: AttackConfig) -> Summary:
    """Attack a defended classifier under every combination that the config asks for."""
    with session("attack") as where:
        data = load_data(config)
        for line in skipped(config):
            say(line)
        name = f"{made_of(config)} {data.name} seed {config.seed}"
        tags = {names.STEP: "attack"}
        with tracked_run(EXPERIMENT, name, config.as_json(), tags=tags, entry=True) as run:
            run.uses_data(data.name, data.test_sha256, len(data.x_test), "evaluation")
            networks = ensure_networks(config, data)
            run.uses_models(network.stored.model_id for network in networks.values())
            run.tags(input_tags(networks))
            # First: a network that a certificate cannot take ends the run before any attack.
            certified = run_certifications(config, data, networks, run)
            summary = summarise(run_cells(config, data, networks, run), certified)
            _log_summary(run, config, networks, summary)
        _show(config, summary, where)
    return summary


def made_of(config: AttackConfig) -> str:
    """Return what is attacked, for the run's name: kinds of autoencoders and of classifier."""
    kinds = {**{kind: kind for kind in AUTOENCODERS}, AUTOENCODER: config["autoencoder"]}
    used = [kinds[part] for part in parts_of(config) if part in kinds]
    return " + ".join([*used, config["classifier"]])


def skipped(config: AttackConfig) -> Iterator[str]:
    """Yield what was asked for and is not run, with its reason."""
    for defence, threat_model in config.skipped():
        yield (
            f"skipped: threat model {threat_model.name} makes no sense for defence {defence.name}"
        )
    # All that grant gradients allow every attack: where one is idle, there is none of them.
    granted = " or ".join(dict.fromkeys(t.grants for _, t in config.combinations()))
    for attack in config.idle_attacks():
        yield (
            f"skipped: attack {attack.name} needs {attack.needs}: "
            f"threat models that grant {granted} alone leave it out"
        )
    for certifying in config.certifying():
        if certifying.obstacle:
            yield f"skipped: certificate {certifying}"


def _log_summary(
    run: TrackedRun, config: AttackConfig, networks: Networks, summary: Summary
) -> None:
    for row in summary.rows:
        run.metrics([(f"clean/accuracy/{row.defence}", row.clean.value)])
        name = f"worst_case/accuracy{row.norm.suffix}/{row.defence}/{row.threat_model}"
        for epsilon, accuracy in zip(row.epsilons, row.accuracies, strict=True):
            run.metrics([(name, accuracy)], metric_step(epsilon))
    run.metrics(summary.headline_metrics)
    _log_brackets(run, summary)
    _draw(run, summary)
    page = as_document(summary, "Attack run", notes(config, run, networks))
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


def _log_brackets(run: TrackedRun, summary: Summary) -> None:
    """Log what is proven of each defence, and draw it below what attacks leave."""
    from gauntlet.evaluation.figures import draw_bracket

    for bracket in summary.brackets:
        suffix, who, epsilons = bracket.norm.suffix, bracket.defence, bracket.epsilons
        ends = [(bracket.lower(i).value, bracket.upper(i)) for i in range(len(epsilons))]
        for epsilon, (proven, _) in zip(epsilons, ends, strict=True):
            run.metrics([(f"certified/accuracy{suffix}/{who}", proven)], metric_step(epsilon))
        certified = epsilons, [proven for proven, _ in ends]
        left = [(e, high.value) for e, (_, high) in zip(epsilons, ends, strict=True) if high]
        attacked = [e for e, _ in left], [value for _, value in left]
        title = f"{who}, certified by {bracket.certificates}"
        figure = draw_bracket(certified, attacked, title, bracket.norm.axis)
        run.figure(f"bracket_{who}{suffix}.png", figure)
    if summary.certified:
        ids = {f"{one.defence}/{one.certificate}": one.run_id for one in summary.certified}
        run.json("certifications.json", ids)


def _draw(run: TrackedRun, summary: Summary) -> None:
    """Draw attacks side by side, and the worst cases of all rows with budgets of one norm."""
    from gauntlet.evaluation.figures import draw_costs, draw_curves

    for of in curves_of(summary.rows):
        listed: dict[str, Curve] = {c.attack: (c.epsilons, c.accuracies) for c in of.listed}
        searched = {attack: found.curve for attack, found in of.searches.items()}
        title = f"{of.defence} under {of.threat_model}"
        figure = draw_curves(listed, title, of.norm.axis, searched)
        run.figure(f"curves/{of.defence}_{of.threat_model}{of.norm.suffix}.png", figure)
    worst: dict[BudgetNorm, dict[str, Curve]] = {}
    for row in summary.rows:
        here = worst.setdefault(row.norm, {})
        here[f"{row.defence}, {row.threat_model}"] = (row.epsilons, row.accuracies)
    for norm, lines in worst.items():
        figure = draw_curves(lines, "Worst case over attacks, example by example", norm.axis)
        run.figure(f"worst_case{norm.suffix}.png", figure)
        if costs := points(summary.rows, norm):
            seen = (row for row in summary.rows if row.norm == norm and row.defence in costs)
            budgets = dict.fromkeys(row.cells[0].budget_at(row.reference) for row in seen)
            title = f"White box, epsilon {', '.join(budgets)}"
            run.figure(f"costs{norm.suffix}.png", draw_costs(costs, title))


def notes(config: AttackConfig, run: TrackedRun, networks: Networks) -> list[str]:
    """Return what a reader must know to trust or redo the table."""
    behind = dict.fromkeys(t.name for _, t in config.combinations() if not t.on_images)
    return [
        f"MLflow run `{run.id}`, one seed ({config.seed}); intervals over test images, not seeds",
        f"data set {config['dataset']}",
        *(_trained(part, network.training) for part, network in networks.items()),
        "robust accuracy is against the true label; worst case: any attack fells the image",
        *(
            f"`{name}` perturbs the autoencoder's output, whose scale is free: it tests no defence"
            for name in behind
        ),
        *(
            f"gradients through `{defence.name}` go through the {defence.stand_in} (BPDA)"
            for defence in config.defences
            if defence.stand_in
        ),
        *skipped(config),
    ]


def _trained(part: str, training: Training[Trainable]) -> str:
    """Say how a network was trained: as its trainer had it, which may differ from the flags."""
    loss = training.training_arguments.get("loss")
    how = f"epochs={training.reports}" + (f", loss={loss}" if loss else "")
    return f"network `{part}`: {training.name}, {how}"


def _show(config: AttackConfig, summary: Summary, where: str) -> None:
    title = f"Robust accuracy, {config['dataset']}, one seed ({config.seed})"
    show_table(title, header(summary), table(summary))
    if ends := bracket_table(summary):
        show_table("Certified and attacked", BRACKET_HEADER, ends)
    if norms := norm_table(summary):
        show_table("Minimum-norm attacks, success / all attacked", NORM_HEADER, norms)
    for line in summary.headlines():
        say(line)
    for line in summary.notes():
        say(f"note: {line}")
    for line in summary.warnings():
        say(f"warning: {line}")
    say(f"figures, matrices and every example: {where}")
