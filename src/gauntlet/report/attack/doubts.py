"""Attacks whose gradient is masked, and whether that touches the headline.

An attack that follows a useless gradient leaves too many images. Where another attack of the same
row has a gradient and leaves fewer, the worst case does not hang on the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gauntlet.catalogue.threat_models import on_images
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.statistics import Interval
from gauntlet.report.attack.rows import Row


class Doubt(NamedTuple):
    """An attack that leaves more than it should.

    Attributes:
        row: where it stands.
        attack: its name.
        below: what another attack has to leave fewer than.
        sign: how it shows.
        advice: what to do about it.
    """

    row: Row
    attack: str
    below: Interval
    sign: str
    advice: str

    def __str__(self) -> str:
        return f"{self.sign}, so its number overstates robustness{self.advice}"

    @property
    def answer(self) -> CellResult | None:
        """The attack of the row that answers it: it has a gradient, and leaves the least."""
        sound = (cell for cell in self.row.judged if _has_gradient(cell))
        best = min(sound, key=self.row.left_by, default=None)
        if best is not None and self.row.left_by(best).high < self.below.low:
            return best
        return None


def doubts(rows: Sequence[Row]) -> Iterator[Doubt]:
    """Yield every sign of a masked gradient."""
    for row in rows:
        yield from _without_gradient(row)
    white = {(row.defence, row.norm): row for row in rows if row.threat_model == "white_box"}
    # What perturbs another space than the image has budgets that do not compare.
    comparable = set(on_images()) - {"white_box"}
    for row in rows:
        known = white.get((row.defence, row.norm))
        if known is not None and row.threat_model in comparable:
            yield from _masked(known, row)


def warnings(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the doubts that no other attack answers."""
    return (str(doubt) for doubt in doubts(rows) if doubt.answer is None)


def notes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence per row with answered doubts: who overstates, and who does not."""
    answered: dict[tuple[str, str, str], dict[str, None]] = {}
    for doubt in doubts(rows):
        if (answer := doubt.answer) is not None:
            row, left = doubt.row, doubt.row.left_by(answer)
            said = f"{answer.attack}, whose gradient is not, leaves {left.value:.4f}"
            where = (row.defence, row.threat_model, said)
            answered.setdefault(where, {})[doubt.attack] = None
    for (defence, threat_model, said), attacks in answered.items():
        yield (
            f"{', '.join(attacks)} on {defence} under {threat_model}: the gradient is masked, so "
            f"robustness is overstated there; {said}"
        )


def _has_gradient(cell: CellResult) -> bool:
    """Tell whether an attack followed a gradient that was there for most images."""
    stuck, right = cell.stuck
    return cell.no_gradient is not None and 2 * stuck < right


def _without_gradient(row: Row) -> Iterator[Doubt]:
    """Name attacks whose gradient is zero on at least half of the images they could change."""
    for cell in row.cells:
        stuck, right = cell.stuck
        if stuck and 2 * stuck >= right:
            sign = (
                f"{cell.attack} on {row.defence} under {row.threat_model}: its gradient is exactly "
                f"zero at {stuck} of {right} correctly classified images"
            )
            advice = (
                ": add attacks that do not saturate (--attacks apgd_t, or pgd with "
                "--pgd_loss margin) or need no gradient (square)"
            )
            yield Doubt(row, cell.attack, cell.at_reference, sign, advice)


def _masked(white: Row, weaker: Row) -> Iterator[Doubt]:
    """Name attacks that do better without knowing all of the defence."""
    for blind in weaker.cells:
        known = white.cell(blind.attack)
        if known is not None and blind.at_reference.high < known.at_reference.low:
            sign = (
                f"{known.attack} on {white.defence}: {weaker.threat_model} leaves "
                f"{blind.at_reference.value:.4f}, white_box {known.at_reference.value:.4f}: the "
                "white-box gradient is masked"
            )
            yield Doubt(white, known.attack, blind.at_reference, sign, "")
