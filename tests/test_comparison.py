"""Comparisons by hand: differences, intervals, tests, what is left out and why, the page."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_cells import made_cell

from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.catalogue.units import GREY_LEVELS, L2_NORM, PIXEL_RANGE
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.statistics import paired_difference
from gauntlet.report.comparison.compare import Comparison, compare, matrix_difference
from gauntlet.report.comparison.contests import headline, metrics, strongest
from gauntlet.report.comparison.matching import Comparand
from gauntlet.report.comparison.page import as_document, headline_rows, rows
from gauntlet.report.document.csv_table import NO_BREAK
from gauntlet.report.document.files import texts
from gauntlet.report.document.pages import as_html, as_markdown
from gauntlet.tracking.finished import FinishedRun

N = 10
A, B, C = "a" * 32, "b" * 32, "c" * 32
CONFIG = {"seed": "0", "steps": "20", "relative_budget": "false"}


def _run(run_id: str = A, **config: str) -> FinishedRun:
    return FinishedRun(run_id, f"run {run_id[0]}", "FINISHED", CONFIG | config, {}, 1.0)


def _cell(
    attack: str = "fgsm",
    fallen: range = range(0),
    *,
    defence: str = "none",
    threat_model: str = "white_box",
    epsilons: tuple[float, ...] = (0.0, 0.1),
    n: int = N,
    run_id: str = "cell",
) -> CellResult:
    """Return a cell: `fallen` are misclassified at every budget but the first."""
    return made_cell(
        attack,
        [(), *[fallen] * (len(epsilons) - 1)],
        defence=defence,
        threat_model=threat_model,
        epsilons=epsilons,
        n=n,
        unit=GREY_LEVELS if attack.startswith("lr_") else PIXEL_RANGE,
        run_id=run_id,
    )


def _comparand(run: FinishedRun, *cells: CellResult) -> Comparand:
    marked = (replace(cell, run_id=f"{run.id[0]} {cell.attack}") for cell in cells)
    return Comparand(run, cells[0].defence, tuple(marked))


def _compare(*comparands: Comparand, epsilon: float | None = None) -> Comparison:
    runs = {comparand.run.id: comparand.run for comparand in comparands}
    return compare(list(runs.values()), comparands, epsilon)


# --- differences, intervals and tests ---

PUBLISHED = {
    # both, only one, only the other, neither -> Newcombe 1998, table III, method 10
    (36, 12, 2, 0): (0.2000, 0.0569, 0.3404),
    (20, 12, 2, 16): (0.2000, 0.0562, 0.3292),
    (54, 0, 0, 0): (0.0000, -0.0664, 0.0664),
}


@pytest.mark.parametrize(("counts", "published"), PUBLISHED.items(), ids=map(str, PUBLISHED))
def test_paired_interval_as_published(counts, published) -> None:
    one, other = (np.repeat(np.array(bits, bool), counts) for bits in ([1, 1, 0, 0], [1, 0, 1, 0]))
    assert paired_difference(other, one) == pytest.approx(published, abs=5e-5)
    value, low, high = published
    assert paired_difference(one, other) == pytest.approx((-value, -high, -low), abs=5e-5)


def test_paired_interval_stays_in_range() -> None:
    none, every = np.zeros(3, bool), np.ones(3, bool)
    assert paired_difference(none, every)[::2] == (1.0, 1.0)
    assert paired_difference(every, none)[:2] == (-1.0, -1.0)


def test_difference_is_of_the_same_images() -> None:
    one = _comparand(_run(A), _cell(fallen=range(4)))
    other = _comparand(_run(B), _cell(fallen=range(2)))
    worst, single = _compare(one, other).pairs
    assert (
        worst.difference
        == single.difference
        == paired_difference(np.arange(N) >= 4, np.arange(N) >= 2)
    )
    assert worst.difference.value == pytest.approx(0.2)
    assert worst.p == 0.5  # only images 2 and 3 speak, both for `other`: 2 / 2**2
    assert not worst.is_beyond_noise


def test_p_values_are_corrected_for_all_pairs_and_a_worst_case_over_one_attack_is_no_other() -> (
    None
):
    ten, none, five = (
        _comparand(_run(run_id), _cell(fallen=fallen, n=20))
        for run_id, fallen in ((A, range(10, 20)), (B, range(20)), (C, range(5, 20)))
    )
    found = _compare(ten, none, five)
    # McNemar: 2 / 2**10, 2 / 2**5, 2 / 2**5; Holm: times 3, times 2, never below the one before.
    expected = [3 * 2 / 2**10, 2 * 2 / 2**5, 2 * 2 / 2**5]
    assert [pair.p for pair in found.pairs] == pytest.approx(expected * 2)
    assert [pair.is_beyond_noise for pair in found.pairs[:3]] == [True, False, False]


def test_two_attacks_make_a_worst_case_of_their_own() -> None:
    one = _comparand(_run(A), _cell("fgsm", range(3)), _cell("bim", range(2, 6)))
    other = _comparand(_run(B), _cell("fgsm", range(2)), _cell("bim", range(0)))
    found = _compare(one, other)
    (worst,) = found.worst
    assert [contest.name for contest in found.attacks] == ["fgsm", "bim"]
    assert rows(found, worst)[0][:3] == [
        "run a (aaaaaaaa), none",
        "1.0000",
        "0.4000 [0.1682, 0.6873]",
    ]
    assert rows(found, worst)[1][3].startswith("+0.4000 [") and worst.budget == "0.1"
    assert worst.curve(one) == ([0.0, 0.1], [1.0, 0.4])
    assert strongest(found.attacks, "white_box").name == "fgsm"  # 0.7, 0.8 against 0.6, 1
    names = {name: value for name, value, epsilon in metrics(found.pairs) if epsilon == 0.1}
    assert names["difference/white_box/worst_case/bbbbbbbb_none-aaaaaaaa_none"] == pytest.approx(
        0.4
    )
    assert len(names) == 3 * 4 and len(headline_rows(found)) == 2


def test_each_norm_of_budgets_has_a_worst_case_of_its_own() -> None:
    def in_l2(fallen: range) -> CellResult:
        return replace(_cell("pgd_l2", fallen, epsilons=(0.0, 1.5)), unit=L2_NORM)

    one = _comparand(_run(A), _cell("fgsm", range(3)), in_l2(range(6)))
    other = _comparand(_run(B), _cell("fgsm", range(2)), in_l2(range(5)))
    found = _compare(one, other)
    assert [(c.name, c.title, c.budget) for c in found.worst] == [
        ("worst_case", "worst case under white_box", "0.1"),
        ("worst_case_l2", "worst case in L2 under white_box", "1.5 in L2"),
    ]
    assert [c.withstood(one).mean() for c in found.worst] == pytest.approx([0.7, 0.4])
    assert [c.name for c in headline(found.worst)] == ["worst_case"]
    assert strongest(found.attacks, "white_box").name == "fgsm"
    names = {name for name, *_ in metrics(found.pairs)}
    assert {name.split("/")[2] for name in names} == {
        "worst_case",
        "worst_case_l2",
        "fgsm",
        "pgd_l2",
    }


def test_sentence_says_who_withstands_more() -> None:
    one = _comparand(_run(A), _cell(fallen=range(400), n=1000))
    other = _comparand(_run(B), _cell(fallen=range(100), n=1000, defence="magnet"))
    found = _compare(one, other)
    (said,) = found.sentences()
    assert said.startswith("white_box, epsilon 0.1: bbbbbbbb/magnet minus aaaaaaaa/none: +0.3000 [")
    assert said.endswith(": withstands more, beyond the noise of 1000 test images")
    (turned,) = _compare(other, one).sentences()
    assert "minus bbbbbbbb/magnet: -0.3000 [" in turned and "withstands less" in turned
    (equal,) = _compare(one, replace(one, run=_run(B))).sentences()
    assert equal.endswith("p = 1: within the noise of 1000 test images")


def test_worst_case_leaves_out_attacks_that_keep_no_budget() -> None:
    grey = _cell("lr_natural", range(9), epsilons=(0.0, 16 / 255))
    found = _compare(*(_comparand(_run(i), _cell(fallen=range(2)), grey) for i in (A, B)))
    assert [a.attack for a in found.worst[0].attacks] == ["fgsm"]
    assert [contest.budget for contest in found.attacks] == ["0.1", "16/255"]
    alone = _compare(*(_comparand(_run(i), grey) for i in (A, B)))
    assert alone.worst[0].budget == "16/255"


def test_minimum_norm_attack_is_compared_at_the_budget_of_the_others() -> None:
    near = _cell("deepfool_l2", range(3), epsilons=(0.0, 0.05, 1.0))
    pair = [_comparand(_run(i), near, _cell(epsilons=(0.0, 0.05))) for i in (A, B)]
    assert _compare(*pair).worst[0].epsilon == 0.05


def test_given_budget_beats_the_reference() -> None:
    budgets = (0.0, 0.05, 0.1)
    found = _compare(*(_comparand(_run(i), _cell(epsilons=budgets)) for i in (A, B)), epsilon=0.05)
    assert [c.epsilon for c in (*found.worst, *found.attacks)] == [0.05, 0.05]


# --- what is not compared ---

OTHERS = {
    # what the second run has instead of FGSM at 0 and 0.1 under white_box -> why not
    "another attack": (_cell("bim"), {}, ["stands in one run only"] * 2),
    "another threat model": (_cell(threat_model="transfer"), {}, ["stands in one run only"] * 2),
    "other budgets": (
        _cell(epsilons=(0.0, 0.2)),
        {},
        [
            "budgets 0, 0.1, where run b (bbbbbbbb) has 0, 0.2",
            "budgets 0, 0.2, where run a (aaaaaaaa) has 0, 0.1",
        ],
    ),
    "more budgets": (
        _cell(epsilons=(0.0, 0.1, 0.2)),
        {},
        [
            "budgets 0, 0.1, where run b (bbbbbbbb) has 0, 0.1, 0.2",
            "budgets 0, 0.1, 0.2, where run a (aaaaaaaa) has 0, 0.1",
        ],
    ),
    "other images": (
        _cell(n=9),
        {},
        [
            "other test images than run b (bbbbbbbb)",
            "other test images than run a (aaaaaaaa)",
        ],
    ),
}


@pytest.mark.parametrize(("cell", "config", "reasons"), OTHERS.values(), ids=OTHERS)
def test_what_is_not_alike_is_left_out_with_its_reason(cell, config, reasons) -> None:
    found = _compare(_comparand(_run(A), _cell()), _comparand(_run(B, **config), cell))
    assert not found.attacks and not found.worst and not found.pairs
    assert [left_out.reason for left_out in found.left_out] == reasons


def test_relative_budgets_are_other_budgets_behind_the_autoencoder_alone() -> None:
    def found(threat_model: str) -> Comparison:
        cell = _cell(threat_model=threat_model, defence="encoded")
        relative = _run(B, relative_budget="true")
        return _compare(_comparand(_run(A), cell), _comparand(relative, cell))

    assert len(found("white_box").attacks) == 1
    first, second = found("encoded").left_out
    assert first.reason == (
        "budgets absolute, where those of run b (bbbbbbbb) are relative to the output"
    )
    assert second.reason.startswith("budgets relative to the output")


def _let_another_threat_model_perturb_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    another = replace(THREAT_MODELS["encoded"], name="another")
    monkeypatch.setitem(THREAT_MODELS._entries, "another", another)


def test_relative_budgets_are_other_budgets_wherever_an_output_is_perturbed(monkeypatch) -> None:
    _let_another_threat_model_perturb_outputs(monkeypatch)
    cell = _cell(threat_model="another", defence="encoded")
    relative = _run(B, relative_budget="true")
    found = _compare(_comparand(_run(A), cell), _comparand(relative, cell))
    assert not found.attacks and len(found.left_out) == 2


UNINSTALLED = (_cell("patchwork"), _cell(threat_model="mirror"), _cell("patchwork", n=9))


@pytest.mark.parametrize("cell", UNINSTALLED, ids=["attack", "threat model", "other images"])
def test_what_is_not_installed_here_is_compared_or_left_out_with_its_reason(cell) -> None:
    first = _cell(cell.attack, threat_model=cell.threat_model)
    found = _compare(_comparand(_run(A), _cell(), first), _comparand(_run(B), _cell(), cell))
    seen = [(c.threat_model, c.name) for c in found.attacks]
    seen += [(one.cell.threat_model, one.cell.attack) for one in found.left_out]
    assert seen[0] == ("white_box", "fgsm")
    assert set(seen[1:]) == {(cell.threat_model, cell.attack)}


def test_two_defences_of_one_run_are_no_comparison() -> None:
    one = [_comparand(_run(A), _cell(defence=defence)) for defence in ("none", "magnet")]
    found = _compare(*one, _comparand(_run(B), _cell("bim")))
    assert [left_out.reason for left_out in found.left_out] == ["stands in one run only"] * 3


def test_defences_of_a_shared_attack_are_all_compared() -> None:
    one = [_comparand(_run(A), _cell(defence=defence)) for defence in ("none", "magnet")]
    found = _compare(*one, _comparand(_run(B), _cell()))
    assert [who.short for who in found.worst[0].comparands] == [
        "aaaaaaaa/none",
        "aaaaaaaa/magnet",
        "bbbbbbbb/none",
    ]


def test_budgets_that_most_runs_have_are_compared() -> None:
    odd = _comparand(_run(A), _cell(epsilons=(0.0, 0.3)))
    found = _compare(odd, _comparand(_run(B), _cell()), _comparand(_run(C), _cell()))
    assert [who.run.id for who in found.attacks[0].comparands] == [B, C]
    assert [left_out.comparand for left_out in found.left_out] == [odd]


def test_budget_that_was_not_attacked_with_is_said() -> None:
    found = _compare(*(_comparand(_run(i), _cell()) for i in (A, B)), epsilon=0.07)
    reasons = {left_out.reason for left_out in found.left_out}
    assert not found.attacks and reasons == {"not attacked at epsilon 0.07, but at 0, 0.1"}


# --- parameters and warnings ---


def test_parameters_that_differ() -> None:
    one, other = _run(A, epochs="3"), _run(B, seed="1")
    assert compare([one, other], [], None).differing() == {"seed": ["0", "1"], "epochs": ["3", ""]}


def _warnings(*comparands: Comparand) -> str:
    return "\n".join(_compare(*comparands).warnings())


def test_one_seed_is_a_warning() -> None:
    one, other = _comparand(_run(A), _cell()), _comparand(_run(B, epochs="3"), _cell())
    assert _warnings(one, other).startswith("one seed stands behind each run")
    again = _comparand(_run(B), _cell())
    assert "the noise of training" not in _warnings(one, other) + _warnings(one, again)
    twin = _comparand(_run(C, seed="1"), _cell())
    assert "run a (aaaaaaaa), run c (cccccccc) differ in no parameter but the seed" in _warnings(
        one, other, twin
    )


def test_attacks_of_unlike_strength_are_a_warning() -> None:
    one = _comparand(_run(A), _cell("bim"), _cell("fgsm"))
    other = _comparand(_run(B, steps="40"), _cell("bim"), _cell("fgsm"))
    assert "bim was not made alike: steps is 20 or 40" in _warnings(one, other)
    assert "fgsm was not made alike" not in _warnings(one, other)


def test_budgets_of_free_scale_are_a_warning(monkeypatch) -> None:
    _let_another_threat_model_perturb_outputs(monkeypatch)
    for name in ("encoded", "another"):
        assert f"`{name}` perturbs outputs" in _warnings(*_twice({name: (1, 2)}))
    for name in ("white_box", "mirror"):  # what `mirror` perturbs is not known here
        assert "perturbs outputs" not in _warnings(*_twice({name: (1, 2)}))


def test_the_same_cells_are_a_warning() -> None:
    one = _comparand(_run(A), _cell())
    said = _warnings(one, replace(one, run=_run(B)))
    assert "have the very same cells under white_box" in said


def test_no_common_attack_is_a_warning() -> None:
    said = _warnings(
        _comparand(_run(A), _cell("fgsm")),
        _comparand(_run(B), _cell("fgsm"), _cell("bim")),
        _comparand(_run(C), _cell("bim")),
    )
    assert "no worst case under white_box" in said


def _top(*comparands: Comparand) -> str:
    """Return the sentence that stands on top of the page."""
    (said,) = _compare(*comparands).verdicts()
    return said


def _twice(left: dict[str, tuple[int, int]], **more: Any) -> list[Comparand]:
    """Return two runs that keep so many images of ten, by threat model."""
    return [
        _comparand(
            _run(run_id),
            *(
                _cell(fallen=range(N - kept[i]), threat_model=name, **more)
                for name, kept in left.items()
            ),
        )
        for i, run_id in enumerate((A, B))
    ]


TOPS = {
    # images of ten that either run keeps, by threat model -> which of them stands on top
    "white box": ({"white_box": (1, 2), "transfer": (5, 6)}, "white_box"),
    "transfer": ({"white_box": (5, 6), "transfer": (1, 2)}, "transfer"),
    "gray box": ({"white_box": (5, 6), "gray_box": (1, 2), "transfer": (3, 3)}, "gray_box"),
    "equal": ({"white_box": (1, 2), "transfer": (2, 1)}, "white_box"),
    "another space": ({"white_box": (5, 6), "encoded": (1, 2)}, "white_box"),
    "another space alone": ({"encoded": (1, 2)}, "encoded"),
}


@pytest.mark.parametrize(("left", "name"), TOPS.values(), ids=TOPS)
def test_least_number_of_attacks_on_the_image_stands_on_top(left, name: str) -> None:
    assert _top(*_twice(left, defence="encoded")).startswith(f"{name}, epsilon 0.1: ")


def test_a_larger_budget_does_not_stand_on_top() -> None:
    pair = [
        replace(
            one,
            cells=(
                *one.cells,
                _cell(
                    "single_pixel", range(9), threat_model="black_box", epsilons=(0.0, 0.05, 1.0)
                ),
            ),
        )
        for one in _twice({"white_box": (5, 6)}, epsilons=(0.0, 0.05))
    ]
    assert _top(*pair).startswith("white_box, epsilon 0.05: ")


def test_who_is_lower_elsewhere_is_a_warning() -> None:
    pair = _twice({"white_box": (1, 9), "transfer": (5, 6)})
    assert _top(*pair).startswith("white_box")
    lower = (
        "run b (bbbbbbbb), none withstands less under transfer (0.6000) than under white_box "
        "(0.9000), which stands on top"
    )
    assert lower in _warnings(*pair)
    assert "run a (aaaaaaaa), none withstands less" not in _warnings(*pair)


def test_who_is_compared_with_nothing_is_a_warning() -> None:
    pair = _twice({"white_box": (5, 6)})
    odd = _comparand(_run(C), _cell("bim"))
    assert "run c (cccccccc), none is compared with nothing: stands in one run only" in _warnings(
        *pair, odd
    )
    assert "compared with nothing" not in _warnings(*pair)


def test_model_that_learned_nothing_is_a_warning() -> None:
    def constant(cell: CellResult) -> CellResult:
        return replace(cell, labels=np.arange(N) % 5)

    one, other = (
        replace(c, cells=tuple(map(constant, c.cells))) for c in _twice({"white_box": (5, 6)})
    )
    assert (
        "run a (aaaaaaaa), none, run b (bbbbbbbb), none: every test image is predicted as "
        "class 0" in _warnings(one, other)
    )


# --- matrices and the page ---


def _matrix(*counts: tuple[int, ...]) -> dict[str, Any]:
    classes = ["0", "1", "rejected"][: len(counts)]
    return {"rows": "true class", "columns": "attacked", "classes": classes, "counts": counts}


def test_matrix_difference() -> None:
    difference = matrix_difference(_matrix((5, 0), (2, 3)), _matrix((1, 4), (2, 3)))
    assert difference["counts"] == [[-4, 4], [0, 0]] and difference["rows"] == "true class"


def test_matrix_difference_where_one_alone_rejects() -> None:
    plain, rejecting = _matrix((5, 0), (2, 3)), _matrix((3, 0, 2), (2, 2, 1), (0, 0, 0))
    difference = matrix_difference(plain, rejecting)
    assert difference["counts"] == [[-2, 0, 2], [0, -1, 1], [0, 0, 0]]
    assert difference["classes"] == ["0", "1", "rejected"]
    turned = matrix_difference(rejecting, plain)["counts"]
    assert turned == (-np.array(difference["counts"])).tolist()


def test_page_has_the_headline_first_and_what_was_left_out() -> None:
    one = _comparand(_run(A), _cell(fallen=range(4)), _cell("bim"))
    found = _compare(one, _comparand(_run(B, seed="1"), _cell()))
    page = as_document(found, {})
    assert [section.title for section in page.sections] == [
        "Worst case over shared attacks",
        "worst case under white_box",
        "Parameters that differ",
        "Attack by attack",
        "fgsm under white_box",
        "Not compared",
        "Runs",
    ]
    text = as_markdown(page)
    assert "| run a (aaaaaaaa), none | white_box | bim | stands in one run only |" in text
    assert "| `seed` | 0 | 1 |" in text and "one seed stands behind each run" in text
    assert "corrected (Holm) for all pairs of this page together (tests: 1)" in text


def test_tables_say_what_they_count_over_and_have_numbers_for_machines() -> None:
    one, other = _comparand(_run(A), _cell(fallen=range(4))), _comparand(_run(B), _cell())
    found = _compare(one, other)
    page = as_document(found, {})
    assert all(table.caption for table in page.tables)
    files = texts(page, "compare")
    _, second = csv.DictReader(io.StringIO(files["tables/worst_case_white_box.csv"]))
    (pair,) = found.pairs_of(found.worst[0])
    for part in ("value", "low", "high"):
        assert float(second[f"difference to the first: {part}"]) == getattr(pair.difference, part)
    assert NO_BREAK not in "".join(second.values())
    assert r"\caption{worst case under white\_box" in files["tables/worst_case_white_box.tex"]


def test_names_are_no_markup_on_the_page() -> None:
    run = _run(B, seed="1")._replace(name="<script>alert(1)</script>")
    page = as_html(
        as_document(_compare(_comparand(_run(A), _cell()), _comparand(run, _cell())), {})
    )
    assert "<script>" not in page and "&lt;script&gt;" in page
