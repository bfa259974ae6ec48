"""An attack run as tables and as the document that is written about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.quantities import NOISE_LEVEL, SUCCESS_RATE
from gauntlet.evaluation.quantity import Over
from gauntlet.report.attack.bracket import Bracket
from gauntlet.report.attack.costs import COST_HEADER, cost_table
from gauntlet.report.attack.summary import Summary
from gauntlet.report.document.model import Document, Items, Number, Section, Table

NORM_HEADER = (
    "defence",
    "threat model",
    "attack",
    "success rate",
    "95 % interval",
    "noise level",
    "median distance",
)
BRACKET_HEADER = (
    "defence",
    "certificates",
    "epsilon",
    "certified",
    "left by white_box attacks",
    "open",
)


def header(summary: Summary) -> list[str]:
    """Return the column titles of the result table."""
    attacks = [f"{c.attack} ε={c.budget}" for c in summary.attacks]
    return ["defence", "threat model", "clean", *attacks, "worst case", "95 % interval"]


def table(summary: Summary) -> list[list[str]]:
    """Return the result table as text: accuracies at the reference budgets."""
    return [
        [
            row.defence,
            f"{row.threat_model}{row.norm.within}",
            Number.of(row.clean, f"{row.clean.value:.4f}"),
            *(_accuracy(row.cell(c.attack)) for c in summary.attacks),
            Number.of(row.worst_at_reference, f"{row.worst_at_reference.value:.4f}"),
            f"[{row.worst_at_reference.low:.4f}, {row.worst_at_reference.high:.4f}]",
        ]
        for row in summary.rows
    ]


def _accuracy(cell: CellResult | None) -> str:
    if cell is None:
        return ""
    return Number.of(cell.at_reference, f"{cell.at_reference.value:.4f}")


def norm_table(summary: Summary) -> list[list[str]]:
    """Return the minimum-norm attacks as text (columns: `NORM_HEADER`)."""
    return [
        [
            row.defence,
            f"{row.threat_model}{row.norm.within}",
            cell.attack,
            Number.of(cell.success_rate, f"{cell.success_rate.value:.4f}"),
            f"[{cell.success_rate.low:.4f}, {cell.success_rate.high:.4f}]",
            Number(f"{cell.noise_level:.3g}", {"value": cell.noise_level}),
            _distance(cell),
        ]
        for row in summary.rows
        for cell in row.cells
        if cell.attack in ATTACKS and ATTACKS[cell.attack].finds_minimum
    ]


def _distance(cell: CellResult) -> str:
    if cell.distances is None:
        return ""
    shown = f"{cell.median_distance:.3g}{cell.distances.norm.within}"
    return Number(shown, {"value": cell.median_distance})


def bracket_table(summary: Summary) -> list[list[str]]:
    """Return the brackets as text, a line per budget (columns: `BRACKET_HEADER`)."""
    return [
        [bracket.defence, bracket.certificates, bracket.budget(i), *_ends(bracket, i)]
        for bracket in summary.brackets
        for i in range(len(bracket.epsilons))
    ]


def _ends(bracket: Bracket, index: int) -> list[str]:
    """Return both ends at a budget, and the share between them."""
    low, high = bracket.lower(index), bracket.upper(index)
    if high is None:
        return [Number.of(low), "", ""]
    between = high.value - low.value
    return [Number.of(low), Number.of(high), Number(f"{between:.4f}", {"value": between})]


def as_document(summary: Summary, title: str, notes: Sequence[str]) -> Document:
    """Return the report of an attack run.

    Args:
        summary: what the run found.
        title: of the page.
        notes: what a reader must know to trust or redo the tables, a line each.
    """
    return Document(
        title,
        [
            *(f"**{line}**" for line in summary.headlines()),
            *(f"Note: {line}." for line in summary.notes()),
            *(f"Warning: {line}." for line in summary.warnings()),
        ],
        [*_sections(summary), Section("Notes", [Items(notes)])],
    )


def _sections(summary: Summary) -> Iterator[Section]:
    images = len(summary.rows[0].cells[0].labels)
    caption = (
        f"Accuracy over all {images} attacked images, without attack (a rejected image is an "
        "error) and under each attack at its reference budget (a rejected image is correct). Worst "
        "case: an image is lost if any attack changes its class. Wilson's 95 % interval over images"
    )
    results = Table("robust_accuracy", header(summary), table(summary), f"{caption}.")
    yield Section("Robust accuracy", [results])
    if ends := bracket_table(summary):
        caption = (
            f"Both ends of robust accuracy over all {images} images. Certified: a certificate "
            "proves that no change within the budget alters the true class. Left by white_box "
            "attacks: the worst case over them. Open: neither proven nor felled. Wilson's 95 % "
            "intervals over images"
        )
        found = Table("bracket", BRACKET_HEADER, ends, f"{caption}.")
        yield Section("Certified and attacked", [found])
    if norms := norm_table(summary):
        caption = (
            f"Attacks without a budget, all that they found. Success rate: over {SUCCESS_RATE.over}"
            f" ({images}). Noise level: {NOISE_LEVEL.meaning}, over {NOISE_LEVEL.over}. "
            f"Median distance: {Over.CORRECT}, in the norm that the attack makes small (Linf "
            "unless L2 is named); infinite where over half of them withstand."
        )
        found = Table("minimum_norm_attacks", NORM_HEADER, norms, caption)
        yield Section("Minimum-norm attacks", [found])
    if costs := cost_table(summary.rows):
        caption = (
            "What each attack leaves at its reference budget, and what it takes. Gradients and "
            "queries: per image on average, at that budget; a minimum-norm attack searches once "
            f"for all. Seconds: for all {images} images and all budgets, on the machine that "
            "made them."
        )
        found = Table("costs", COST_HEADER, costs, caption)
        yield Section("Robust accuracy against cost", [found])
