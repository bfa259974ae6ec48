"""Robust accuracy at every budget: distances by hand, as runs keep them, and who they beat."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from linear_model import WEIGHTS, attacked, shortest
from made_cells import made_cell
from models import N_CLASSES, N, affine, blobs, defended

from gauntlet.attacks.threat_models import Scenario
from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.catalogue.units import L2_NORM, BudgetNorm
from gauntlet.cells.measure import Measurement, measure
from gauntlet.cells.plan import Cell, plan_cells
from gauntlet.config.attack import AttackConfig
from gauntlet.data.dataset import Dataset
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.entry_points import attack as attack_step
from gauntlet.evaluation.distances import Distances, distances
from gauntlet.evaluation.metrics import AttackOutcome
from gauntlet.pipeline import cell_record
from gauntlet.report.attack.page import as_document, norm_table
from gauntlet.report.attack.summary import summarise
from gauntlet.report.document.pages import as_markdown

LINF, L2 = BudgetNorm.LINF, BudgetNorm.L2
EPSILONS = (0.0, 0.003, 0.01, 0.03, 0.1)
IN_LINF = ("fmn_linf", "fab_t", "deepfool_linf", "hop_skip_jump_linf")


def _distances(*each: float, norm: BudgetNorm = LINF) -> Distances:
    return Distances(norm, np.array(each, np.float32))


def _cell(name: str, **values: Any) -> Cell:
    """Return the cell of an attack on the undefended model under one threat model."""
    asked = {"defence": "none", "threat_models": "white_box", "epsilons": EPSILONS, **values}
    (cell,) = plan_cells(AttackConfig(preset="smoke", attacks=name, **asked))
    return cell


def _linear(shift: float = 0.0) -> keras.Model:
    """Return a linear model of two classes, whose boundary is shifted towards the first."""
    bias = -0.4 * WEIGHTS[:, :2].sum(axis=0) + [0, shift]
    return affine(WEIGHTS[:, :2], bias.tolist())


def _on_linear(name: str, **values: Any) -> Measurement:
    """Attack a linear model of two classes; the label of the first image is wrong."""
    images, labels = attacked(2)
    labels = np.where(np.arange(N) == 0, 1 - labels, labels)
    scenario = Scenario(THREAT_MODELS["white_box"], DefendedModel(_linear()))
    return measure(_cell(name, **values), scenario, images, labels)


# --- distances ---


def test_distances_by_hand() -> None:
    labels = np.zeros(5, np.int64)
    found = AttackOutcome(
        labels,
        clean=np.array([0, 0, 0, 1, -1]),
        attacked=np.array([1, 0, -1, 1, 1]),  # falls, stands, rejected, wrong already, falls
        noise_l2=np.array([3, 3, 3, 0, 2], np.float32),
        concentration=np.zeros(5, np.float32),
        noise_linf=np.array([0.5, 0.5, 0.5, 0, 0.25], np.float32),
    )
    assert distances(LINF, found, 1.0).each.tolist() == [0.5, np.inf, np.inf, 0, 0.25]
    assert distances(L2, found, 2.0).each.tolist() == [1.5, np.inf, np.inf, 0, 1]


def test_curve_is_the_share_that_stands_from_each_distance_on() -> None:
    found = _distances(0.25, 0.5, np.inf, 0.25, 0)
    assert found.curve == ([0, 0.25, 0.5], [0.8, 0.4, 0.2])
    assert _distances(np.inf, 0.5).curve == ([0, 0.5], [1.0, 0.5])
    for epsilon, accuracy in zip(*found.curve, strict=True):
        assert found.standing(epsilon).mean() == accuracy


def test_median_is_infinite_where_over_half_withstand() -> None:
    found = _distances(0.25, 0.5, np.inf, np.inf, 0)
    assert found.median(np.array([1, 1, 1, 0, 0], bool)) == 0.5
    assert found.median(np.array([0, 1, 1, 1, 0], bool)) == np.inf
    assert np.isnan(found.median(np.zeros(5, bool)))


def test_norms_in_which_minima_are_found() -> None:
    found = {name: entry.minimum_norm for name, entry in ATTACKS.items() if entry.finds_minimum}
    assert {found[name] for name in IN_LINF} == {LINF}
    assert {found[name] for name in ("fmn_l2", "ddn", "cw_l2")} == {L2}
    assert {found[name] for name in ("sigma_zero", "single_pixel")} == {None}  # no budget counts
    assert ATTACKS["pgd"].minimum_norm is ATTACKS["pgd_l2"].minimum_norm is None


@pytest.mark.parametrize(
    ("name", "beyond"), [("fmn_linf", 0.002), ("fmn_l2", 0.002), ("fab_t", 0.01), ("cw_l2", 0.1)]
)
def test_distances_of_a_linear_model_are_the_known_ones(name: str, beyond: float) -> None:
    measured = _on_linear(name, fmn_steps=100, fab_steps=100, cw_steps=300)
    found = measured.result.distances
    assert found is not None and found.each[0] == 0 and found.norm == ATTACKS[name].norm
    nearest = shortest(found.norm, 2)[1:]
    assert (found.each[1:] >= nearest - 1e-5).all()
    assert (found.each[1:] <= (1 + beyond) * nearest + 1e-5).all()
    logged = {metric: value for metric, value, _ in measured.metrics}
    assert logged["attack/median_distance"] == np.median(found.each[1:])


@pytest.mark.parametrize("name", IN_LINF)
def test_curve_at_listed_budgets_is_the_listed_robust_accuracy(name: str) -> None:
    result = _on_linear(name, hop_skip_jump_steps=2, hop_skip_jump_queries=700).result
    assert result.distances is not None and result.epsilons == (*EPSILONS, 1.0)
    for index, epsilon in enumerate(result.epsilons):
        assert np.array_equal(result.distances.standing(epsilon), result.correct[index])
    assert len(set(result.accuracies)) > 3  # some fall between the budgets


def test_an_attack_without_a_minimum_has_no_distance() -> None:
    measured = _on_linear("fgsm")
    assert measured.result.distances is None and np.isnan(measured.result.median_distance)
    assert "attack/median_distance" not in {metric for metric, _, _ in measured.metrics}


def test_the_cells_judge_decides_what_a_transferred_image_is_worth() -> None:
    """Of two classes, the judge's boundary is nearer to the images of one."""
    images, labels = attacked(2)
    judge = DefendedModel(_linear(0.2))
    scenario = Scenario(THREAT_MODELS["transfer"], judge, _linear())
    cell = _cell("fmn_linf", threat_models="transfer", fmn_steps=100)
    found = measure(cell, scenario, images, labels)
    moved = found.crafting.results[-1].adversarial - images
    right, falls = found.result.right, found.result.flipped[-1]
    assert not right.all() and falls.any() and not falls[right].all()
    assert found.result.distances is not None
    expected = np.where(falls, np.abs(moved).max(axis=(1, 2, 3)), np.where(right, np.inf, 0))
    assert np.array_equal(found.result.distances.each, expected)


def test_distances_behind_an_autoencoder_are_in_the_budgets_unit() -> None:
    """Budgets are relative to the scale of its output there."""
    images, labels = blobs(N)
    scenario = Scenario(THREAT_MODELS["encoded"], defended("reformer"))
    cell = replace(_cell("fmn_linf"), threat_model=THREAT_MODELS["encoded"], relative_budget=True)
    found = measure(cell, scenario, images, labels)
    unit = found.starts.mean(dtype=np.float64) / images.mean(dtype=np.float64)
    moved = np.abs(found.crafting.results[-1].adversarial - found.starts).max(axis=(1, 2, 3))
    falls = found.result.flipped[-1]
    assert abs(unit - 1) > 0.001 and falls.any() and found.result.distances is not None
    np.testing.assert_allclose(found.result.distances.each[falls], (moved / unit)[falls], rtol=1e-6)


# --- runs ---


class _Kept:
    """Takes what a run is given, and gives it back as a finished run does."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        names = ("defence", "threat_model", "attack")
        self.id, self.run = "it", SimpleNamespace(tags={f"gauntlet.{name}": name for name in names})

    def metrics(self, *_: Any) -> None: ...

    def text(self, *_: Any) -> None: ...

    def json(self, path: str, content: Any = None) -> Any:
        return self.kept.setdefault(path, content)

    def figure(self, path: str, figure: Any) -> None:
        self.kept[path] = figure

    def arrays(self, path: str, **arrays: Any) -> Any:
        return self.kept.setdefault(path, arrays)


def _recorded(name: str) -> _Kept:
    images, labels = attacked(2)
    data = Dataset("blobs", images, labels, images, labels, N_CLASSES)
    cell_record.record(run := _Kept(), _cell(name), _on_linear(name), data)
    return run


@pytest.mark.parametrize(("name", "axis"), [("fmn_linf", "Linf"), ("fmn_l2", "L2")])
def test_distances_are_kept_read_back_and_drawn_in_their_norm(name: str, axis: str) -> None:
    run, known = _recorded(name), _on_linear(name).result.distances
    read = cell_record.read_cell(run).distances
    assert read is not None and known is not None
    assert read.norm is known.norm and np.array_equal(read.each, known.each)
    (axes,) = run.kept["accuracy_epsilon.png"].axes
    (line,) = axes.lines
    assert line.get_drawstyle() == "steps-post" and axis in axes.get_xlabel()
    assert [*line.get_xdata()][:-1] == known.curve[0]


def test_cells_of_before_have_no_distances() -> None:
    run = _recorded("fmn_linf")
    del run.kept["examples.npz"]["distance"], run.kept["cell.json"]["distance_norm"]
    read = cell_record.read_cell(run)
    assert read.distances is None and read.accuracies == _on_linear("fmn_linf").result.accuracies


def test_each_norm_has_a_figure_with_all_attacks_in_it() -> None:
    cells = [
        made_cell("pgd", [(), (1,)]),
        made_cell("fmn_linf", [(), (1,)], distances=_distances(*range(10))),
        made_cell("fmn_l2", [(), (1,)], distances=_distances(*range(10), norm=L2)),
        made_cell("pgd_l2", [(), (1,)], unit=L2_NORM),
        made_cell("sigma_zero", [(), (1,)]),
    ]
    attack_step._draw(run := _Kept(), summarise(cells))
    drawn = {
        path: [line.get_label() for line in figure.axes[0].lines]
        for path, figure in run.kept.items()
        if path.startswith("curves/")
    }
    assert drawn == {
        "curves/none_white_box.png": ["pgd", "sigma_zero", "fmn_linf"],
        "curves/none_white_box_l2.png": ["pgd_l2", "fmn_l2"],
    }


def test_table_has_the_median_in_the_norm_of_the_attack() -> None:
    cells = [
        made_cell("fmn_l2", [(), (1,)], distances=_distances(*range(10), norm=L2)),
        made_cell("fmn_linf", [(), (1,)], distances=_distances(*[np.inf] * 10)),
        made_cell("sigma_zero", [(), (1,)]),
    ]
    assert [row[-1] for row in norm_table(summarise(cells))] == ["4.5 in L2", "inf", ""]


# --- the warning ---

N_IMAGES = 100


def _bounded(fallen: int, name: str = "pgd", at: float = 0.1, **options: Any) -> Any:
    epsilons = (0.0, at, 2 * at)
    each = [(), range(fallen), range(N_IMAGES)]
    return made_cell(name, each, epsilons=epsilons, n=N_IMAGES, **options)


def _search(fallen: int, name: str = "fmn_linf", at: float = 0.1, norm: BudgetNorm = LINF) -> Any:
    """Return a search that fells so many images within a budget, and the others far beyond."""
    each = [at / 2] * fallen + [5.0] * (N_IMAGES - fallen)
    none = [(), ()]
    return made_cell(name, none, n=N_IMAGES, distances=_distances(*each, norm=norm))


def _warned(*cells: Any) -> list[str]:
    return [line for line in summarise(cells).warnings() if "not the worst case" in line]


def test_a_search_that_fells_more_is_a_warning_of_one_line() -> None:
    (line,) = _warned(_bounded(40), _search(60))
    assert line == (
        "pgd on none under white_box is not the worst case: at epsilon 0.1 it leaves 0.6000, "
        "fmn_linf 0.4000, 20 fewer of 100 images: try more steps (--steps) or --attacks autoattack"
    )
    page = as_markdown(as_document(summarise([_bounded(40), _search(60)]), "It", []))
    assert f"\nWarning: {line}.\n" in page


@pytest.mark.parametrize(("more", "warned"), [(-20, False), (0, False), (5, False), (8, True)])
def test_noise_is_no_warning(more: int, warned: bool) -> None:
    """Of three tests, 5 of 5 has p = 3 x 0.0625, and 8 of 8 has p = 3 x 0.0078."""
    assert bool(_warned(_bounded(40), _search(40 + more))) == warned


def test_the_strongest_attack_within_the_budget_counts() -> None:
    weak = _bounded(20, "fgsm")
    assert _warned(weak, _search(60)) and not _warned(weak, _bounded(60), _search(60))
    assert _warned(weak, _bounded(40), _search(60))[0].startswith("pgd on none")


def test_the_widest_gap_is_said() -> None:
    (line,) = _warned(_bounded(40), _search(60), _search(75, "fab_t"))
    assert "fab_t 0.2500, 35 fewer" in line


def test_norms_threat_models_and_defences_are_compared_apart() -> None:
    in_l2 = _search(60, "fmn_l2", norm=L2)
    assert not _warned(_bounded(40), in_l2)
    assert not _warned(_bounded(40, threat_model="transfer"), _search(60))
    assert not _warned(_bounded(40, defence="reformer"), _search(60))
    (line,) = _warned(_bounded(40, "pgd_l2", 1.5, unit=L2_NORM), _search(60, "ddn", 1.5, L2))
    assert "at epsilon 1.5 in L2 it leaves" in line and "--attacks autoattack_l2" in line


def test_advice_is_what_was_not_run_yet() -> None:
    (line,) = _warned(_bounded(40, "autoattack"), _search(60))
    assert line.endswith("20 fewer of 100 images: believe the lower number")
    (line,) = _warned(_bounded(40, "fgsm"), _search(60))
    assert line.endswith("images: try --attacks autoattack")
    blind = replace(_search(60, "hop_skip_jump_linf"), threat_model="black_box")
    (line,) = _warned(_bounded(40, "square", threat_model="black_box"), blind)
    assert line.endswith("images: believe the lower number")  # no gradients are granted there
    (line,) = _warned(_bounded(40), _bounded(10, "autoattack"), _search(60))
    assert line.endswith("images: try more steps (--steps)")


def test_cells_of_before_and_searches_in_pixels_are_no_budgets() -> None:
    old = replace(_bounded(40), attack="fmn_linf")
    assert not _warned(old, _search(60, "fab_t"))
    assert not _warned(replace(old, attack="sigma_zero"), _search(60))
