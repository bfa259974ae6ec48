"""Metrics on three classes, counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.evaluation.metrics import (
    AttackOutcome,
    attack_metrics,
    clean_metrics,
    concentration,
    count_matrix,
    matrices,
    report_by_class,
)
from gauntlet.evaluation.statistics import Interval, wilson, worst_case

# image:                0  1  2  3  4  5  6  7
LABELS = np.array([0, 0, 1, 1, 2, 2, 2, 0])
CLEAN = np.array([0, 0, 1, 2, 2, 2, 1, 0])  # 3 and 6 are wrong before any attack
ATTACKED = np.array([0, 1, 2, 2, 2, 0, 2, -1])  # 1, 2, 5 flip; 6 is put right; 7 is rejected
L2 = np.array([9, 1, 2, 9, 9, 3, 9, 6], np.float32)
OUTCOME = AttackOutcome(LABELS, CLEAN, ATTACKED, L2, L2 / 9, noise_linf=L2 / 10)


def _metrics(outcome: AttackOutcome = OUTCOME, target: int | None = None) -> dict[str, float]:
    return dict(attack_metrics(outcome, target))


def test_flipped_and_correct() -> None:
    assert OUTCOME.correct.tolist() == [True, False, False, False, True, False, True, True]
    assert OUTCOME.flipped.tolist() == [False, True, True, False, False, True, False, False]


HAND = {
    "adv/accuracy": 4 / 8,  # images 0, 4, 6 and 7: rejected, the attack has come to nothing
    "adv/success_rate": 3 / 8,  # 1, 2, 5 of all: clean errors are no success
    "adv/success_rate_of_correct": 3 / 6,  # of those that were right
    "adv/unchanged": 3 / 8,  # images 0, 3, 4
    "adv/noise_l2": 2.0,  # (1 + 2 + 3) / 3: successes only
    "adv/noise_l2_median": 2.0,
    "adv/change_linf": 0.9,  # of all images
    "adv/concentration": 2 / 3,  # 48 / 8 / 9
}


@pytest.mark.parametrize(("name", "by_hand"), HAND.items(), ids=HAND)
def test_metric_by_hand(name: str, by_hand: float) -> None:
    assert _metrics()[name] == pytest.approx(by_hand, rel=1e-6)  # noise is float32


def test_concentration_is_the_share_of_the_largest_pixels() -> None:
    few, alike, nothing = np.zeros(100), np.ones(100), np.zeros(100)
    few[:7] = 3, 3, 3, 3, 3, 1, 1  # 5 % are five pixels: 45 of 47
    change = np.stack([few, alike, nothing]).astype(np.float32)
    assert concentration(change) == pytest.approx([45 / 47, 0.05, 0])


def test_exactly_the_documented_names() -> None:
    assert set(_metrics()) == {*HAND, "adv/accuracy_low", "adv/accuracy_high"}
    assert set(_metrics(target=2)) - set(_metrics()) == {"adv/target_rate"}


@pytest.mark.parametrize(("target", "by_hand"), [(0, 1 / 5), (1, 1 / 6), (2, 2 / 5)])
def test_target_rate_leaves_out_images_of_the_target(target: int, by_hand: float) -> None:
    assert _metrics(target=target)["adv/target_rate"] == pytest.approx(by_hand)


def test_no_success_has_no_noise_level() -> None:
    names = set(_metrics(replace(OUTCOME, attacked=CLEAN)))
    assert not names & {"adv/noise_l2", "adv/noise_l2_median"} and "adv/change_linf" in names


def test_nothing_right_before_is_no_division_by_zero() -> None:
    wrong = replace(OUTCOME, clean=(LABELS + 1) % 3)
    assert _metrics(wrong)["adv/success_rate_of_correct"] == 0


def test_clean_metrics() -> None:
    metrics = dict(clean_metrics(LABELS, CLEAN))
    assert metrics["clean/accuracy"] == 6 / 8
    assert metrics["clean/accuracy_low"] == pytest.approx(wilson(LABELS == CLEAN).low)
    assert metrics["clean/accuracy_high"] == pytest.approx(wilson(LABELS == CLEAN).high)


def test_rejected_clean_image_is_an_error_but_no_attacks_success() -> None:
    rejected = replace(OUTCOME, clean=np.full(8, -1), attacked=np.full(8, -1))
    assert dict(clean_metrics(LABELS, rejected.clean))["clean/accuracy"] == 0
    assert _metrics(rejected)["adv/accuracy"] == 1 and _metrics(rejected)["adv/success_rate"] == 0


def test_rejected_clean_image_that_passes_under_attack_was_wrong_before() -> None:
    outcome = replace(OUTCOME, clean=np.full(8, -1))
    assert outcome.correct.tolist() == OUTCOME.correct.tolist() and not outcome.flipped.any()


# --- matrices ---


def test_matrix_by_hand() -> None:
    assert count_matrix(LABELS, CLEAN, 3).tolist() == [[3, 0, 0], [0, 1, 1], [0, 1, 2]]


def test_rejected_images_are_a_last_row_and_column() -> None:
    expected = [[1, 1, 0, 1], [0, 0, 2, 0], [1, 0, 2, 0], [0, 0, 0, 0]]
    assert count_matrix(LABELS, ATTACKED, 3).tolist() == expected
    transposed = count_matrix(ATTACKED, LABELS, 3)
    assert transposed.tolist() == np.transpose(expected).tolist()


def test_class_that_never_occurs_has_its_row() -> None:
    assert count_matrix(np.array([0]), np.array([0]), 3).shape == (3, 3)


def test_three_matrices_say_what_their_axes_are() -> None:
    views = matrices(LABELS, CLEAN, ATTACKED, 3)
    axes = {name: (view["rows"], view["columns"]) for name, view in views.items()}
    assert axes == {
        "clean": ("true class", "clean prediction"),
        "attacked": ("true class", "attacked prediction"),
        "moved": ("clean prediction", "attacked prediction"),
    }
    assert views["clean"]["counts"] == count_matrix(LABELS, CLEAN, 3).tolist()
    assert views["moved"]["counts"] == [[1, 1, 0, 1], [0, 0, 2, 0], [1, 0, 2, 0], [0, 0, 0, 0]]


def test_rejected_is_a_class_where_it_occurs() -> None:
    views = matrices(LABELS, CLEAN, ATTACKED, 3)
    assert views["clean"]["classes"] == ["0", "1", "2"]
    assert views["attacked"]["classes"] == ["0", "1", "2", "rejected"]


def test_matrices_agree_with_the_metrics() -> None:
    views = matrices(LABELS, CLEAN, ATTACKED, 3)
    attacked = np.array(views["attacked"]["counts"])
    assert (np.trace(attacked) + attacked[:, -1].sum()) / 8 == _metrics()["adv/accuracy"]
    assert np.trace(views["moved"]["counts"]) / 8 == _metrics()["adv/unchanged"]


def test_report_by_class_has_a_line_a_class() -> None:
    text = report_by_class(LABELS, CLEAN)
    assert "precision" in text and "0.7500" in text  # accuracy 6 of 8
    # Class 1: one hit of two predictions, of two images.
    assert any(
        line.split() == ["1", "0.5000", "0.5000", "0.5000", "2"] for line in text.splitlines()
    )


def test_report_of_a_class_that_is_never_predicted_is_silent() -> None:
    assert "0.0000" in report_by_class(np.array([0, 1]), np.array([0, 0]))


# --- statistics ---

WILSON = {  # Wilson 1927 with z = 1.959964: (p + z^2/2n -+ z sqrt(p q/n + z^2/4n^2)) / (1 + z^2/n)
    "8 of 10": (8, 10, 0.4902, 0.9433),
    "none of 10": (0, 10, 0.0, 0.2775),
    "all of 10": (10, 10, 0.7225, 1.0),
    "half of 100": (50, 100, 0.4038, 0.5962),
    "1 of 1": (1, 1, 0.2065, 1.0),
}


@pytest.mark.parametrize(("hits", "n", "low", "high"), WILSON.values(), ids=WILSON)
def test_wilson_by_its_formula(hits: int, n: int, low: float, high: float) -> None:
    interval = wilson(np.arange(n) < hits)
    assert interval == pytest.approx((hits / n, low, high), abs=5e-5)  # four digits


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_wilson_holds_its_value_and_stays_in_the_unit_interval(hits: list[bool]) -> None:
    value, low, high = wilson(np.array(hits))
    assert 0 <= low <= value <= high <= 1 and low < high
    assert math.isclose(value, sum(hits) / len(hits))


def test_interval_as_text() -> None:
    assert str(Interval(0.5, 0.40384, 0.59616)) == "0.5000 [0.4038, 0.5962]"


def test_worst_case_by_hand() -> None:
    one = np.array([True, True, False, False])
    two = np.array([True, False, True, False])
    assert worst_case([one, two]).tolist() == [True, False, False, False]
    assert worst_case([one]).tolist() == one.tolist()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=5))
def test_worst_case_is_never_better_than_any_attack(rows: list[list[bool]]) -> None:
    correct = [np.array(row) for row in rows]
    assert all((worst_case(correct) <= row).all() for row in correct)
