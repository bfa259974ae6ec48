"""A comparison as tables and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gauntlet.evaluation.quantities import ROBUST_ACCURACY
from gauntlet.evaluation.statistics import wilson
from gauntlet.report.comparison.compare import Comparison
from gauntlet.report.comparison.contests import Contest, Pair, signed, tests
from gauntlet.report.document.csv_table import NO_BREAK
from gauntlet.report.document.model import (
    Block,
    Document,
    Figure,
    Number,
    Section,
    Table,
    Text,
    slug,
)
from gauntlet.tracking import names

DIFFERENCE = ("difference", "p (McNemar, Holm)")
HEADER = ("", "clean accuracy", "robust accuracy", "difference to the first", DIFFERENCE[1])
HEADLINE = ("threat model, epsilon", *HEADER)

Figures = Mapping[tuple[str, str], Sequence[Figure]]
"""Threat model and name of a contest -> the figures of its section."""

HOW_TO_READ = (
    "Robust accuracy counts test images that keep their true class, or are rejected, under attack. "
    "Brackets are 95 % intervals: Wilson's, and for differences on the same images Newcombe's for "
    "paired proportions (1998, method 10), each for itself. The test is McNemar's (exact); "
    "p-values are corrected (Holm) for all pairs of this page together (tests: {n}), so a "
    "difference may be within noise although its own interval leaves out 0. A worst case is over "
    "the attacks that all have made: an image falls if any of them fells it."
)

ABOUT_IMAGES = (
    "Grids show the same test images in every cell, each attacked at the cell's own reference "
    "budget: the image, perturbed, the difference (magnified), the reconstruction where there is "
    "one, and the predictions."
)


def rows(comparison: Comparison, contest: Contest) -> list[list[str]]:
    """Return a contest's table as text, a row per comparand (columns: `HEADER`)."""
    against_first = {
        pair.other: pair
        for pair in comparison.pairs_of(contest)
        if pair.one is contest.comparands[0]
    }
    table = []
    for who in contest.comparands:
        pair, clean = against_first.get(who), contest.clean(who)
        numbers = _numbers(pair) if pair else ("", "")
        left = Number.of(wilson(contest.withstood(who)))
        table.append([who.name, Number.of(clean, f"{clean.value:.4f}"), left, *numbers])
    return table


def headline_rows(comparison: Comparison) -> list[list[str]]:
    """Return the worst cases of all threat models as one table (columns: `HEADLINE`)."""
    return [
        [f"{contest.threat_model}, {contest.budget}", *row]
        for contest in comparison.worst
        for row in rows(comparison, contest)
    ]


def as_document(comparison: Comparison, figures: Figures) -> Document:
    """Return the whole report."""
    labels = [run.label for run in comparison.runs]
    images = comparison.attacks[0].images
    scope = f"{' and '.join(labels)}, attacked on the same {images} test images."
    warnings = [f"Warning: {line}." for line in comparison.warnings()]
    return Document(
        "Comparison of attack runs",
        [scope, *(f"**{line}.**" for line in comparison.verdicts()), *warnings],
        [*_sections(comparison, figures)],
    )


def _sections(comparison: Comparison, figures: Figures) -> Iterator[Section]:
    yield Section(
        "Worst case over shared attacks", [Text(HOW_TO_READ.format(n=tests(comparison.pairs)))]
    )
    for contest in comparison.worst:
        yield _section(comparison, contest, figures)
    yield Section("Parameters that differ", [_parameters(comparison)])
    yield Section("Attack by attack", [Text(ABOUT_IMAGES)])
    for contest in comparison.attacks:
        yield _section(comparison, contest, figures)
    yield Section("Not compared", [_left_out(comparison)])
    yield Section("Runs", [_runs(comparison)])


def _section(comparison: Comparison, contest: Contest, figures: Figures) -> Section:
    attacks = ", ".join(attack.attack for attack in contest.attacks)
    caption = (
        f"{contest.title} (`{attacks}`) at epsilon {contest.budget}, over {ROBUST_ACCURACY.over} "
        f"({contest.images})"
    )
    name = slug(f"{contest.name}_{contest.threat_model}")
    blocks: list[Block] = [_table(name, HEADER, rows(comparison, contest), caption)]
    others = [
        pair for pair in comparison.pairs_of(contest) if pair.one is not contest.comparands[0]
    ]
    if others:
        blocks.append(_other_pairs(f"{name}_other_pairs", others))
    return Section(
        contest.title, [*blocks, *figures.get((contest.threat_model, contest.name), ())], 3
    )


def _other_pairs(name: str, pairs: Sequence[Pair]) -> Table:
    table = [[f"{pair.other.short} minus {pair.one.short}", *_numbers(pair)] for pair in pairs]
    caption = "All other pairs: difference of their robust accuracies, on the same images"
    return _table(name, ("", *DIFFERENCE), table, caption)


def _table(name: str, header: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> Table:
    """Return a table in which lines break in the names, not between a number and its interval."""
    unbroken = [[who, *map(_unbroken, texts)] for who, *texts in rows]
    return Table(name, header, unbroken, caption)


def _unbroken(text: str) -> str:
    unbroken = text.replace(" ", NO_BREAK)
    return Number(unbroken, text.parts) if isinstance(text, Number) else unbroken


def _numbers(pair: Pair) -> tuple[str, str]:
    difference = Number.of(pair.difference, signed(pair.difference))
    return difference, Number(f"{pair.p:.2g}", {"value": pair.p})


def _parameters(comparison: Comparison) -> Block:
    differing = comparison.differing()
    if not differing:
        return Text("All parameters are equal.")
    header = ("parameter", *(run.label for run in comparison.runs))
    table = [[f"`{name}`", *values] for name, values in differing.items()]
    return Table("parameters", header, table, "Parameters that are not equal in all runs.")


def _left_out(comparison: Comparison) -> Block:
    if not comparison.left_out:
        return Text("All cells are compared.")
    table = [
        [one.comparand.name, one.cell.threat_model, one.cell.attack, one.reason]
        for one in comparison.left_out
    ]
    header = ("", "threat model", "attack", "why not")
    return Table("not_compared", header, table, "Cells that are compared with nothing.")


def _runs(comparison: Comparison) -> Table:
    header = ("run", "MLflow run id", "data set", "seed", "commit")
    table = [
        [
            run.label,
            f"`{run.id}`",
            run.tags.get(names.DATASET, ""),
            run.config.get("seed", ""),
            run.tags.get(names.GIT_COMMIT, "")[:12],
        ]
        for run in comparison.runs
    ]
    return Table("runs", header, table, "The compared runs, one per seed.")
