"""What an attack run found: one row a defence and threat model, and the worst case over attacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gauntlet.evaluation.metrics import defeated
from gauntlet.evaluation.statistics import Interval, wilson, worst_case

REFERENCE_EPSILON = 0.1
REFERENCE_GREY = 16 / 255


@dataclass(frozen=True)
class CellResult:
    """What one cell measured, example by example.

    Attributes:
        defence, threat_model, attack: what the cell is.
        epsilons: budgets in [0, 1], `(k,)`.
        labels, clean: true classes and the judge's classes without attack, `(n,)`.
        attacked: the judge's classes under attack, `(k, n)`; -1 is rejected.
        bounded: whether the attack keeps its budget and the box; others stay out of worst cases.
        run_id: of the cell's run.
    """

    defence: str
    threat_model: str
    attack: str
    epsilons: tuple[float, ...]
    labels: NDArray[np.int64]
    clean: NDArray[np.int64]
    attacked: NDArray[np.int64]
    bounded: bool
    run_id: str

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which examples keep their true class or are rejected, `(k, n)`."""
        return defeated(self.labels, self.attacked)

    @property
    def accuracies(self) -> list[float]:
        """Robust accuracy at each budget."""
        return [float(row.mean()) for row in self.correct]

    @property
    def reference(self) -> int:
        """Index of the budget that tables show: 0.1 (16 grey levels), else the largest."""
        return reference_index(self.epsilons, self.bounded)

    @property
    def at_reference(self) -> Interval:
        """Robust accuracy at the reference budget."""
        return wilson(self.correct[self.reference])

    @property
    def budget(self) -> str:
        """The reference budget as text, in the attack's own unit."""
        epsilon = self.epsilons[self.reference]
        return f"{epsilon:g}" if self.bounded else f"{255 * epsilon:g}/255"


def reference_index(epsilons: Sequence[float], bounded: bool = True) -> int:
    """Return the index of the budget that tables and pictures show."""
    wanted = REFERENCE_EPSILON if bounded else REFERENCE_GREY
    near = [i for i, e in enumerate(epsilons) if abs(e - wanted) < 1e-9]
    return near[0] if near else len(epsilons) - 1


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
        """Budgets of the worst case."""
        return self.judged[0].epsilons

    def worst(self, index: int) -> Interval:
        """Return robust accuracy at one budget against all attacks: an example falls with any."""
        return wilson(worst_case([cell.correct[index] for cell in self.judged]))

    @property
    def worst_at_reference(self) -> Interval:
        """Worst case at the budget that tables show."""
        return self.worst(self.judged[0].reference)

    @property
    def strongest(self) -> CellResult:
        """The single attack that leaves the least at the reference budget."""
        return min(self.judged, key=lambda cell: cell.at_reference)


@dataclass(frozen=True)
class Summary:
    """All rows of an attack run."""

    rows: tuple[Row, ...]

    @property
    def attacks(self) -> list[CellResult]:
        """One cell of each attack, in order: names and budgets of the columns."""
        return list(self.rows[0].cells)

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
        """Yield a sentence where an attacker who knows less does better: masked gradients."""
        white = {r.defence: r for r in self.rows if r.threat_model == "white_box"}
        for row in self.rows:
            # `encoded` perturbs another space, so its budgets do not compare.
            if row.defence in white and row.threat_model not in ("white_box", "encoded"):
                yield from _masked(white[row.defence], row)


def _masked(white: Row, weaker: Row) -> Iterator[str]:
    for known, blind in zip(white.cells, weaker.cells, strict=True):
        if blind.at_reference.high < known.at_reference.low:
            yield (
                f"{known.attack} on {white.defence}: {weaker.threat_model} leaves "
                f"{blind.at_reference.value:.4f}, white_box {known.at_reference.value:.4f}: the "
                "white-box gradient is masked, so its number overstates robustness"
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
            *(f"{c.at_reference.value:.4f}" for c in row.cells),
            f"{row.worst_at_reference.value:.4f}",
            f"[{row.worst_at_reference.low:.4f}, {row.worst_at_reference.high:.4f}]",
        ]
        for row in summary.rows
    ]


def markdown(summary: Summary, title: str, notes: Sequence[str]) -> str:
    """Return title, notes, result table and headlines as Markdown."""
    head = header(summary)
    lines = [head, ["---"] * len(head), *table(summary)]
    return "\n".join([
        f"# {title}", "", *(f"- {note}" for note in notes), "",
        *("| " + " | ".join(line) + " |" for line in lines), "",
        *(f"**{line}**\n" for line in summary.headlines()),
        *(f"> {line}\n" for line in summary.warnings()),
    ])  # fmt: skip
