"""Both ends of robust accuracy, on ten images, by cases that a hand can compute."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pytest
from made_cells import made_cell

from gauntlet.catalogue.units import GREY_LEVELS, L2_NORM, PIXEL_RANGE, Unit
from gauntlet.cells.certified import Certified
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.figures import draw_bracket
from gauntlet.report.attack.page import as_document, bracket_table
from gauntlet.report.attack.summary import Summary, summarise
from gauntlet.report.document.pages import as_markdown

N = 10
EPSILONS = (0.0, 0.1)


def _certified(
    proven: Sequence[Collection[int]],
    *,
    certificate: str = "relaxation",
    defence: str = "none",
    unit: Unit = PIXEL_RANGE,
) -> Certified:
    flags = np.array([[image in some for image in range(N)] for some in proven])
    return Certified(defence, certificate, unit, EPSILONS, np.zeros(N, np.int64), flags, {})


def _cell(fallen: Collection[int], **changes) -> CellResult:
    """Return a cell in which images fall at the second budget."""
    return made_cell("pgd", [(), fallen], epsilons=EPSILONS, n=N, **changes)


def _summary(*parts: Certified | CellResult) -> Summary:
    cells = [part for part in parts if isinstance(part, CellResult)]
    return summarise(cells, [part for part in parts if isinstance(part, Certified)])


PROVEN = _certified([range(10), range(4)])


def test_ends_are_what_is_proven_and_what_attacks_leave() -> None:
    other = made_cell("fgsm", [(), [6, 7]], epsilons=EPSILONS, n=N)
    (bracket,) = _summary(PROVEN, _cell([7, 8]), other).brackets
    assert (bracket.lower(1).value, bracket.upper(1).value) == (0.4, 0.7)
    assert [row[5] for row in bracket_table(_summary(PROVEN, _cell([7, 8]), other))] == [
        "0.0000",
        "0.3000",
    ]


def test_an_image_is_certified_if_any_certificate_proves_it() -> None:
    other = _certified([range(10), (4, 5)], certificate="interval")
    (bracket,) = _summary(PROVEN, other, _cell(())).brackets
    assert bracket.lower(1).value == 0.6 and bracket.certificates == "relaxation, interval"


INCOMPARABLE = {
    "another defence": {"defence": "encoded"},
    "another norm": {"unit": L2_NORM},
    "the autoencoder's output": {"threat_model": "encoded"},
    "no budget kept": {"unit": GREY_LEVELS},
}


@pytest.mark.parametrize("changes", INCOMPARABLE.values(), ids=INCOMPARABLE)
def test_attacks_of_another_kind_are_no_upper_end(changes) -> None:
    summary = _summary(PROVEN, _cell(range(N), **changes))
    (bracket,) = summary.brackets
    assert bracket.upper(1) is None and not [*bracket.warnings]
    assert [row[4:] for row in bracket_table(summary)] == [["", ""], ["", ""]]


def test_budget_that_no_attack_had_has_no_upper_end() -> None:
    cell = made_cell("pgd", [()], epsilons=(0.1,), n=N)
    (bracket,) = _summary(PROVEN, cell).brackets
    assert bracket.upper(0) is None and bracket.upper(1).value == 1


@pytest.mark.parametrize("threat_model", ["white_box", "transfer", "black_box"])
def test_image_that_is_proven_and_felled_is_a_warning(threat_model) -> None:
    summary = _summary(PROVEN, _cell([2, 3, 4], threat_model=threat_model))
    (line,) = [line for line in summary.warnings() if "proven" in line]
    assert line.startswith("none at epsilon 0.1: 2 images are proven (relaxation) and felled: ")
    assert f"Warning: {line}." in as_markdown(as_document(summary, "t", []))


def test_no_contradiction_no_warning() -> None:
    assert not [w for w in _summary(PROVEN, _cell([4, 5])).warnings() if "proven" in w]
    assert not _summary(_cell([4, 5])).brackets


def test_figure_fills_the_band_between_the_ends() -> None:
    figure = draw_bracket((EPSILONS, [1.0, 0.4]), ([0.1], [0.7]), "title")
    (axes,) = figure.axes
    upper, lower = axes.lines
    assert [*upper.get_ydata()] == [0.7] and [*lower.get_ydata()] == [1.0, 0.4]
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.4, 0.7)
    assert len(draw_bracket((EPSILONS, [1.0, 0.4]), ((), ()), "title").axes[0].lines) == 2
