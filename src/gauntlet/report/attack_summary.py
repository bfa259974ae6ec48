"""What an attack run found: one row a defence and threat model, and the worst case over attacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gauntlet.config.tables import BY_QUERIES, MINIMUM_NORM
from gauntlet.evaluation.statistics import Interval, wilson, worst_case
from gauntlet.report.cell_result import CellResult, reference_index


@dataclass(frozen=True)
class Row:
    """One defence under one threat model: its cells in the order of the attacks."""

    defence: str
    threat_model: str
    cells: tuple[CellResult, ...]

    @cached_property
    def clean(self) -> Interval:
        """Accuracy without attack; a rejected image is an error."""
        return wilson(self.cells[0].clean == self.cells[0].labels)

    @cached_property
    def judged(self) -> tuple[CellResult, ...]:
        """Cells that the worst case is over: one kind of budget, bounded attacks if there are."""
        return tuple(c for c in self.cells if c.bounded) or self.cells

    @property
    def epsilons(self) -> tuple[float, ...]:
        """Budgets of the worst case: those that all attacks have.

        Minimum-norm attacks have one more at the end, so an index means the same for all.
        """
        return min((cell.epsilons for cell in self.judged), key=len)

    @property
    def _reference(self) -> int:
        return reference_index(self.epsilons, self.judged[0].bounded)

    def worst(self, index: int) -> Interval:
        """Return robust accuracy at one budget against all attacks: an example falls with any."""
        return wilson(worst_case([cell.correct[index] for cell in self.judged]))

    @property
    def worst_at_reference(self) -> Interval:
        """Worst case at the budget that tables show."""
        return self.worst(self._reference)

    @property
    def strongest(self) -> CellResult:
        """The single attack that leaves the least at the reference budget."""
        return min(self.judged, key=lambda cell: wilson(cell.correct[self._reference]))

    def cell(self, attack: str) -> CellResult | None:
        """Return the cell of an attack, if this threat model allows it."""
        return next((cell for cell in self.cells if cell.attack == attack), None)


@dataclass(frozen=True)
class Summary:
    """All rows of an attack run."""

    rows: tuple[Row, ...]

    @property
    def attacks(self) -> list[CellResult]:
        """One cell of each attack, in order: names and budgets of the columns."""
        return list({cell.attack: cell for row in self.rows for cell in row.cells}.values())

    def headlines(self) -> Iterator[str]:
        """Yield a sentence a defence: the strongest attack under the strongest threat model."""
        for defence in dict.fromkeys(row.defence for row in self.rows):
            rows = [row for row in self.rows if row.defence == defence]
            row = min(rows, key=lambda r: (r.threat_model != "white_box", r.worst_at_reference))
            cell = row.strongest
            unbounded = "" if cell.bounded else ", unbounded as published"
            yield (
                f"{defence}: robust accuracy {row.worst_at_reference} under {row.threat_model} at "
                f"epsilon {cell.budget} (clean {row.clean.value:.4f}, strongest attack "
                f"{cell.attack}{unbounded})"
            )

    def warnings(self) -> Iterator[str]:
        """Yield a sentence where gradients are zero, or an attacker who knows less does better."""
        for row in self.rows:
            yield from _without_gradient(row)
        white = {r.defence: r for r in self.rows if r.threat_model == "white_box"}
        for row in white.values():
            yield from _beaten_by_queries(row)
        for row in self.rows:
            # `encoded` perturbs another space, so its budgets do not compare.
            if row.defence in white and row.threat_model not in ("white_box", "encoded"):
                yield from _masked(white[row.defence], row)


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
    best = min(gradient, key=lambda cell: cell.at_reference, default=None)
    for cell in white.judged:
        asks = cell.attack in BY_QUERIES
        if best is not None and asks and cell.at_reference.high < best.at_reference.low:
            yield (
                f"{cell.attack} on {white.defence}, queries alone: leaves "
                f"{cell.at_reference.value:.4f}, the best gradient attack ({best.attack}) "
                f"{best.at_reference.value:.4f}: the white-box gradient is masked"
            )


def summarise(cells: Sequence[CellResult]) -> Summary:
    """Group cells into rows, keeping their order."""
    keys = dict.fromkeys((c.defence, c.threat_model) for c in cells)
    return Summary(
        tuple(Row(d, t, tuple(c for c in cells if (c.defence, c.threat_model) == (d, t)))
              for d, t in keys)
    )  # fmt: skip


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
    return "\n".join([
        f"# {title}", "", *(f"- {note}" for note in notes), "",
        *markdown_table(header(summary), table(summary)), "",
        *([*markdown_table(NORM_HEADER, norms), ""] if norms else []),
        *(f"**{line}**\n" for line in summary.headlines()),
        *(f"> {line}\n" for line in summary.warnings()),
    ])  # fmt: skip
