"""What attacks take is kept, tabled from the lowest robust accuracy on, and drawn."""

from __future__ import annotations

from made_cells import made_cell

from gauntlet.catalogue.units import L2_NORM, BudgetNorm
from gauntlet.cells.result import CellResult, Cost
from gauntlet.evaluation.figures import draw_costs
from gauntlet.report.attack.costs import COST_HEADER, cost_table, points
from gauntlet.report.attack.page import as_document
from gauntlet.report.attack.summary import summarise
from gauntlet.report.document.model import Table


def _cell(attack: str, fallen: int, gradients: float, queries: float, **more) -> CellResult:
    cost = Cost((0.0, gradients), (0.0, queries), 2.5)
    return made_cell(attack, [range(0), range(fallen)], cost=cost, **more)


CELLS = (
    _cell("fgsm", 3, 1.0, 0.0),
    _cell("square", 6, 0.0, 1234.5),
    _cell("fgsm", 1, 1.0, 0.0, threat_model="transfer"),
)


def test_costs_stand_beside_what_is_left_the_lowest_first() -> None:
    assert len(COST_HEADER) == 7
    assert cost_table(summarise(CELLS).rows) == [
        ["none", "white_box", "square", "0.4000", "0.0", "1,234.5", "2.5"],
        ["none", "white_box", "fgsm", "0.7000", "1.0", "0.0", "2.5"],
        ["none", "transfer", "fgsm", "0.9000", "1.0", "0.0", "2.5"],
    ]


def test_cells_of_before_costs_were_kept_are_left_out() -> None:
    old = summarise([made_cell("bim", [range(0), range(2)])])
    assert cost_table(old.rows) == []
    assert "Robust accuracy against cost" not in [
        s.title for s in as_document(old, "", []).sections
    ]
    assert points(old.rows, BudgetNorm.LINF) == {}


def test_page_has_the_table() -> None:
    page = as_document(summarise(CELLS), "Attack run", [])
    (section,) = [s for s in page.sections if s.title == "Robust accuracy against cost"]
    (table,) = section.blocks
    assert isinstance(table, Table) and len(table.rows) == 3
    assert "for all 10 images and all budgets" in table.caption


def test_points_are_white_boxes_within_budgets_of_one_norm() -> None:
    in_l2 = _cell("pgd_l2", 5, 40.0, 2.0, unit=L2_NORM, defence="encoded")
    rows = summarise([*CELLS, in_l2]).rows
    assert points(rows, BudgetNorm.LINF) == {"none": {"fgsm": (1.0, 0.7), "square": (1234.5, 0.4)}}
    assert points(rows, BudgetNorm.L2) == {"encoded": {"pgd_l2": (42.0, 0.5)}}


def test_figure_names_each_attack_and_each_defence() -> None:
    figure = draw_costs(
        {"none": {"fgsm": (1.0, 0.7), "bim": (20.0, 0.6)}, "b": {"bim": (20, 0.1)}}, ""
    )
    (axes,) = figure.axes
    named = {
        text.get_text(): (handle.get_color(), handle.get_marker())
        for text, handle in zip(
            axes.get_legend().get_texts(), axes.get_legend().legend_handles, strict=True
        )
    }
    assert list(named) == ["none", "b", "fgsm", "bim"]
    assert axes.get_xscale() == "log"
    drawn = {
        (float(x), float(y)): (line.get_color(), line.get_marker())
        for line in axes.lines
        for x, y in line.get_xydata()
    }
    at = {("none", "fgsm"): (1.0, 0.7), ("none", "bim"): (20.0, 0.6), ("b", "bim"): (20.0, 0.1)}
    assert drawn == {xy: (named[who][0], named[how][1]) for (who, how), xy in at.items()}
