"""Entry point `compare`: finished attack runs -> differences, tests, pictures -> one page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.catalogue.units import metric_step
from gauntlet.config.compare import CompareConfig
from gauntlet.errors import UsageError
from gauntlet.evaluation.figures import draw_curves
from gauntlet.evaluation.matrix_figures import draw_matrices, draw_matrix_differences
from gauntlet.evaluation.outcomes import CountMatrix
from gauntlet.evaluation.pictures import as_png
from gauntlet.pipeline.compared_runs import comparands_of, complete, runs_asked_for
from gauntlet.pipeline.console import say, show_table
from gauntlet.pipeline.session import session
from gauntlet.report.comparison.compare import Comparison, compare, matrix_difference
from gauntlet.report.comparison.contests import Contest, metrics, strongest
from gauntlet.report.comparison.matching import Comparand
from gauntlet.report.comparison.page import HEADLINE, as_document, headline_rows
from gauntlet.report.document.files import write
from gauntlet.report.document.model import Figure
from gauntlet.tracking import names
from gauntlet.tracking.finished import read_sealed
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run


def run(config: CompareConfig) -> Comparison:
    """Compare finished runs, write the report and log it.

    Raises:
        UsageError: these runs cannot be compared; nothing is written then, and there is no run.
    """
    with session("compare") as where:
        comparison = _compared(config)
        folder = _folder(config.output)
        document = as_document(comparison, _figures(comparison))
        name = " / ".join(run.name for run in comparison.runs[:3])
        tags = {names.STEP: "compare"} | {
            names.input_tag(f"run_{i}"): run.id for i, run in enumerate(comparison.runs, start=1)
        }
        experiment = ENTRY_POINTS["compare"].experiment
        opened = tracked_run(experiment, name[:250], config.as_json(), tags=tags, entry=True)
        with opened as run:
            _log(run, comparison, write(document, folder, "compare"), folder)
        _show(comparison, folder, where)
    return comparison


def _compared(config: CompareConfig) -> Comparison:
    runs = runs_asked_for(config)
    comparands = [comparand for run in runs for comparand in comparands_of(run)]
    comparison = compare(runs, comparands, config.epsilon)
    if not comparison.attacks:
        reasons = dict.fromkeys(one.reason for one in comparison.left_out)
        raise UsageError(
            "--runs, --epsilon: expected runs that share a threat model, an attack and its "
            f"budgets; received none ({'; '.join(reasons)}): attack again with equal parameters."
        )
    return comparison


def _folder(output: str) -> Path:
    folder = Path(output).resolve()
    for inside in ("figures", "tables"):
        there = next(path for path in (folder / inside, folder, *folder.parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise UsageError(
                f"--output: expected a folder that can be written; received {output!r}, but "
                f"{there} is none: choose another."
            )
    return folder


def _figures(comparison: Comparison) -> dict[tuple[str, str], list[Figure]]:
    """Draw the curves of each contest; read the pictures of its cells."""
    figures = {}
    for contest in (*comparison.worst, *comparison.attacks):
        figures[contest.threat_model, contest.name] = [_curves(contest)]
    for threat_model in dict.fromkeys(contest.threat_model for contest in comparison.attacks):
        contest = strongest(comparison.attacks, threat_model)
        figures[threat_model, contest.name] += _matrices(contest)
    for contest in comparison.attacks:
        figures[contest.threat_model, contest.name] += _grids(contest)
    return figures


def _curves(contest: Contest) -> Figure:
    curves = {who.name: contest.curve(who) for who in contest.comparands}
    return Figure(
        f"curves_{contest.threat_model}_{contest.name}",
        as_png(draw_curves(curves, contest.title, contest.unit.norm.axis)),
        f"Robust accuracy against epsilon: {contest.title}",
    )


def _matrices(contest: Contest) -> Iterator[Figure]:
    """Yield the confusion matrices of all comparands, and what they differ by from the first."""
    tables = {who.short: _matrix(contest, who) for who in contest.comparands}
    (first, theirs), *others = tables.items()
    differences = {
        f"{name} minus {first}": matrix_difference(theirs, table) for name, table in others
    }
    title, end = f"{contest.title}, epsilon {contest.budget}", contest.threat_model
    what = f"under attack: {title}; the strongest shared attack there"
    yield Figure(
        f"matrices_{end}",
        as_png(draw_matrices(tables, title)),
        f"Images by true class and prediction {what}",
    )
    yield Figure(
        f"matrix_differences_{end}",
        as_png(draw_matrix_differences(differences, title)),
        f"What the others have more (red) or fewer (blue) {what}",
    )


def _matrix(contest: Contest, who: Comparand) -> CountMatrix:
    (attack,) = contest.attacks
    cell = attack.cells[who]
    with complete(cell.run_id):
        tables = read_sealed(cell.run_id).json("confusion_matrices.json")
        matrix: CountMatrix = tables[f"{cell.epsilons[attack.index(contest.epsilon)]:g}"][
            "attacked"
        ]
        return matrix


def _grids(contest: Contest) -> Iterator[Figure]:
    (attack,) = contest.attacks
    for who, cell in attack.cells.items():
        with complete(cell.run_id):
            png = read_sealed(cell.run_id).artifact("images.png")
        yield Figure(
            f"images_{contest.threat_model}_{contest.name}_{who.key}",
            png,
            f"{who.name}: {contest.title}, epsilon {cell.budget}; cell `{cell.run_id}`",
        )


def _log(run: TrackedRun, comparison: Comparison, files: list[Path], folder: Path) -> None:
    first = comparison.runs[0].tags
    images = comparison.attacks[0].images
    run.uses_data(first[names.DATASET], first[names.DATASET_SHA256], images, "evaluation")
    for name, value, epsilon in metrics(comparison.pairs):
        run.metrics([(name, value)], metric_step(epsilon))
    run.files(files, folder)


def _show(comparison: Comparison, folder: Path, where: str) -> None:
    if comparison.worst:
        show_table("Worst case over shared attacks", HEADLINE, headline_rows(comparison))
    for line in comparison.sentences():
        say(line)
    for line in comparison.warnings():
        say(f"warning: {line}")
    if comparison.left_out:
        say(f"{len(comparison.left_out)} cells are not compared; the report says why")
    say(f"report: {folder / 'compare.html'}, {folder / 'compare.md'}; runs and metrics: {where}")
