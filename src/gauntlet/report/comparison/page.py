"""A comparison as tables and as the document that is written about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gauntlet.evaluation.statistics import wilson
from gauntlet.report.comparison.compare import Comparison
from gauntlet.report.comparison.contests import Contest, Pair, signed, tests
from gauntlet.report.document.model import Block, Document, Figure, Section, Table, Text

DIFFERENCE = ("difference", "p (McNemar, Holm)")
HEADER = ("", "clean accuracy", "robust accuracy", "difference to the first", DIFFERENCE[1])
HEADLINE = ("threat model, epsilon", *HEADER)

NO_BREAK = "\N{NO-BREAK SPACE}"

Figures = Mapping[tuple[str, str], Sequence[Figure]]
"""Threat model and name of a contest -> the pictures of its section."""

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
        pair, clean = against_first.get(who), f"{contest.clean(who).value:.4f}"
        numbers = _numbers(pair) if pair else ("", "")
        table.append([who.name, clean, str(wilson(contest.withstood(who))), *numbers])
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
    names = [run.label for run in comparison.runs]
    images = comparison.attacks[0].images
    scope = f"{' and '.join(names)}, attacked on the same {images} test images."
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
    caption = f"{contest.title} (`{attacks}`) at epsilon {contest.budget}"
    blocks: list[Block] = [_table(HEADER, rows(comparison, contest), caption)]
    others = [
        pair for pair in comparison.pairs_of(contest) if pair.one is not contest.comparands[0]
    ]
    if others:
        blocks.append(_other_pairs(others))
    return Section(
        contest.title, [*blocks, *figures.get((contest.threat_model, contest.name), ())], 3
    )


def _other_pairs(pairs: Sequence[Pair]) -> Table:
    table = [[f"{pair.other.short} minus {pair.one.short}", *_numbers(pair)] for pair in pairs]
    return _table(("", *DIFFERENCE), table, "All other pairs")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> Table:
    """Return a table whose numbers stay with their intervals: a name breaks more easily."""
    unbroken = [[name, *(text.replace(" ", NO_BREAK) for text in texts)] for name, *texts in rows]
    return Table(header, unbroken, caption)


def _numbers(pair: Pair) -> tuple[str, str]:
    return signed(pair.difference), f"{pair.p:.2g}"


def _parameters(comparison: Comparison) -> Block:
    differing = comparison.differing()
    if not differing:
        return Text("All parameters are equal.")
    header = ("parameter", *(run.label for run in comparison.runs))
    return Table(header, [[f"`{name}`", *values] for name, values in differing.items()])


def _left_out(comparison: Comparison) -> Block:
    if not comparison.left_out:
        return Text("All cells are compared.")
    table = [
        [one.comparand.name, one.cell.threat_model, one.cell.attack, one.reason]
        for one in comparison.left_out
    ]
    return Table(("", "threat model", "attack", "why not"), table)


def _runs(comparison: Comparison) -> Table:
    header = ("run", "MLflow run id", "data set", "seed", "commit")
    table = [
        [
            run.label,
            f"`{run.id}`",
            run.tags.get("gauntlet.dataset", ""),
            run.config.get("seed", ""),
            run.tags.get("gauntlet.git_commit", "")[:12],
        ]
        for run in comparison.runs
    ]
    return Table(header, table)
