"""What an attack run found: a row per defence and threat model, and the worst case over attacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gauntlet.config.tables import BY_QUERIES, MINIMUM_NORM
from gauntlet.report import chance
from gauntlet.report.attack.rows import Row, least
from gauntlet.report.cell_result import CellResult


@dataclass(frozen=True)
class Summary:
    """All rows of an attack run."""

    rows: tuple[Row, ...]

    @property
    def attacks(self) -> list[CellResult]:
        """One cell of each attack, in order: names and budgets of the columns."""
        return list({cell.attack: cell for row in self.rows for cell in row.cells}.values())

    def headlines(self) -> Iterator[str]:
        """Yield a sentence per defence: the least number of all threat models."""
        return map(str, least(self.rows))

    @property
    def headline_metrics(self) -> Iterator[tuple[str, float]]:
        """The same as the headlines, for machines: names and values, and their one budget."""
        found = least(self.rows)
        for headline in found[:1]:
            yield "headline/epsilon", headline.row.epsilons[headline.at]
        for headline in found:
            yield from headline.metrics

    def warnings(self) -> Iterator[str]:
        """Yield what makes a number mean less than it seems: nothing learned, masked gradients."""
        yield from chance.warnings(_judged_models(self.rows))
        for row in self.rows:
            yield from _without_gradient(row)
        white = {r.defence: r for r in self.rows if r.threat_model == "white_box"}
        for row in white.values():
            yield from _beaten_by_queries(row)
        for row in self.rows:
            # `encoded` perturbs another space, so its budgets do not compare.
            if row.defence in white and row.threat_model not in ("white_box", "encoded"):
                yield from _masked(white[row.defence], row)


def _judged_models(rows: Sequence[Row]) -> Iterator[chance.Judged]:
    """Yield each defence once: without attack it is the same under every threat model."""
    first: dict[str, CellResult] = {}
    for row in rows:
        first.setdefault(row.defence, row.cells[0])
    return (chance.Judged(who, cell.labels, cell.clean) for who, cell in first.items())


def _without_gradient(row: Row) -> Iterator[str]:
    """Name the attacks that had nothing to follow on half of what they could still fell."""
    for cell in row.cells:
        stuck, right = cell.stuck
        if stuck and 2 * stuck >= right:
            yield (
                f"{cell.attack} on {row.defence} under {row.threat_model}: its gradient is exactly "
                f"zero at {stuck} of {right} correctly classified images, so its number overstates "
                "robustness: add attacks that do not saturate (--attacks apgd_dlr, or pgd with "
                "--pgd_loss margin) or need no gradient (square)"
            )


def _masked(white: Row, weaker: Row) -> Iterator[str]:
    for blind in weaker.cells:
        known = white.cell(blind.attack)
        if known is not None and blind.at_reference.high < known.at_reference.low:
            yield (
                f"{known.attack} on {white.defence}: {weaker.threat_model} leaves "
                f"{blind.at_reference.value:.4f}, white_box {known.at_reference.value:.4f}: the "
                "white-box gradient is masked, so its number overstates robustness"
            )


def _beaten_by_queries(white: Row) -> Iterator[str]:
    """Compare the best attack that follows gradients with each that only asks (Athalye 2018)."""
    gradient = [c for c in white.judged if c.attack not in BY_QUERIES]
    best = min(gradient, key=white.left_by, default=None)
    for cell in white.judged:
        asks = cell.attack in BY_QUERIES
        if best is not None and asks and white.left_by(cell).high < white.left_by(best).low:
            yield (
                f"{cell.attack} on {white.defence}, queries alone: leaves "
                f"{white.left_by(cell).value:.4f}, the best gradient attack ({best.attack}) "
                f"{white.left_by(best).value:.4f}: the white-box gradient is masked"
            )


def summarise(cells: Sequence[CellResult]) -> Summary:
    """Group cells into rows, keeping their order."""
    keys = dict.fromkeys((c.defence, c.threat_model) for c in cells)
    return Summary(
        tuple(
            Row(d, t, tuple(c for c in cells if (c.defence, c.threat_model) == (d, t)))
            for d, t in keys
        )
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
            row.threat_model,
            f"{row.clean.value:.4f}",
            *(_accuracy(row.cell(c.attack)) for c in summary.attacks),
            f"{row.worst_at_reference.value:.4f}",
            f"[{row.worst_at_reference.low:.4f}, {row.worst_at_reference.high:.4f}]",
        ]
        for row in summary.rows
    ]


def _accuracy(cell: CellResult | None) -> str:
    return "" if cell is None else f"{cell.at_reference.value:.4f}"


NORM_HEADER = ("defence", "threat model", "attack", "success rate", "95 % interval", "noise level")


def norm_table(summary: Summary) -> list[list[str]]:
    """Return the minimum-norm attacks as text: success / all attacked, mean L2 of successes."""
    return [
        [
            row.defence,
            row.threat_model,
            cell.attack,
            f"{cell.success_rate.value:.4f}",
            f"[{cell.success_rate.low:.4f}, {cell.success_rate.high:.4f}]",
            f"{cell.noise_level:.3g}",
        ]
        for row in summary.rows
        for cell in row.cells
        if cell.attack in MINIMUM_NORM
    ]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return ["| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *rows)]


def markdown(summary: Summary, title: str, notes: Sequence[str]) -> str:
    """Return title, notes, result table and headlines as Markdown."""
    norms = norm_table(summary)
    return "\n".join(
        [
            f"# {title}",
            "",
            *(f"- {note}" for note in notes),
            "",
            *markdown_table(header(summary), table(summary)),
            "",
            *([*markdown_table(NORM_HEADER, norms), ""] if norms else []),
            *(f"**{line}**\n" for line in summary.headlines()),
            *(f"> {line}\n" for line in summary.warnings()),
        ]
    )
