"""From cells to numbers to verdicts, by cases that a hand can compute."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gauntlet.evaluation.statistics import holm, mcnemar, paired, unpaired
from gauntlet.report.cell_result import CellResult
from gauntlet.report.claims import Claim, Holds, Verdict
from gauntlet.report.results import Estimate, Key, Results, TrainedKey, Training
from gauntlet.report.verdicts import judge, ranking

N = 100


def _cell(fallen: int, *, defence: str = "encoded", noise: float = 2.0) -> CellResult:
    """Return a cell of a hundred images of class 3, all right before; the first `fallen` fall."""
    attacked = np.full((2, N), 3)
    attacked[1, :fallen] = 5
    three, flat = np.full(N, 3), np.full((2, N), noise, np.float32)
    return CellResult(defence, "white_box", "bim", (0.0, 0.1), three, three, attacked, flat,
                      np.full((2, N), 0.5, np.float32), True, f"run {fallen}")  # fmt: skip


def _results(*fallen: int | tuple[int, ...], **more: Any) -> Results:
    """Return networks `0`, `1`, ... whose cells lose so many images, one number a seed."""
    seeds = [f if isinstance(f, tuple) else (f,) for f in fallen]
    cells = {Key(str(i), "dense", "bim", "encoded", "white_box"): [_cell(n) for n in each]
             for i, each in enumerate(seeds)}  # fmt: skip
    return Results(**{"cells": cells, "trainings": {}, "data": {}, "failed": {}} | more)


def _measure(**own: Any) -> dict[str, Any]:
    return {"network": "0", "part": "dense", "attack": "bim", "defence": "encoded",
            "threat_model": "white_box", "epsilon": 0.1,
            "quantity": "robust_accuracy"} | own  # fmt: skip


def _outcome(results: Results, *readings: tuple[dict[str, Any], dict[str, Any]]) -> Any:
    claim = Claim.model_validate({
        "id": "it", "where": "1", "text": "it", "published": "it", "tolerance": "none",
        "readings": [{"name": f"reading {i}", "checks": [{"measures": [m], "expect": e}]}
                     for i, (m, e) in enumerate(readings)],
    })  # fmt: skip
    return judge([claim], results)[0]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("clean_accuracy", 1.0), ("robust_accuracy", 0.7), ("drop", 0.3), ("success_rate", 0.3),
     ("unchanged", 0.7), ("noise_level", 2.0), ("concentration", 0.5)],
)  # fmt: skip
def test_quantities_of_a_cell(quantity: str, expected: float) -> None:
    outcome = _outcome(_results(30), (_measure(quantity=quantity), {"near": expected, "within": 0}))
    (check,) = outcome.readings[0].checks
    assert check.estimates[0].value == pytest.approx(expected)
    assert check.estimates[0].run_ids == ("run 30",)


def test_targets_are_where_most_and_fewest_images_go() -> None:
    for quantity, expected in (("natural_target", 5), ("non_natural_target", 0)):
        measure = _measure(quantity=quantity, of_class=3)
        assert _outcome(_results(30), (measure, {"near": expected, "within": 0})).verdict == (
            Verdict.REPRODUCED
        )


def test_one_seed_has_wilsons_interval_and_several_the_t_one() -> None:
    one = _outcome(_results(50), (_measure(), {"at_least": 0})).readings[0].checks[0].estimates[0]
    assert (one.low, one.high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    two = _outcome(_results((40, 50)), (_measure(), {"at_least": 0})).readings[0].checks[0]
    # mean 0.55, standard error 0.05, t(0.975, 1) = 12.706
    assert two.estimates[0][:3] == (pytest.approx(0.55), 0.0, 1.0)


@pytest.mark.parametrize(
    ("expect", "verdict"),
    [
        ({"near": 0.7, "within": 0.01}, Verdict.REPRODUCED),
        ({"near": 0.72, "within": 0.01}, Verdict.NOT_REPRODUCED),
        ({"between": [0.6, 0.7]}, Verdict.REPRODUCED),
        ({"between": [0.71, 0.8]}, Verdict.NOT_REPRODUCED),
        ({"at_most": 0.7}, Verdict.REPRODUCED),
        ({"at_least": 0.71}, Verdict.NOT_REPRODUCED),
    ],
)
def test_expectations(expect: dict[str, Any], verdict: Verdict) -> None:
    assert _outcome(_results(30), (_measure(), expect)).verdict == verdict


def test_verdict_names_the_readings_that_hold() -> None:
    outcome = _outcome(_results(30, 90), (_measure(), {"at_least": 0.6}),
                       (_measure(network="1"), {"at_least": 0.6}))  # fmt: skip
    assert outcome.sentence == "reproduced only under reading 0"


def test_measured_is_what_holds_first_and_of_many_numbers_their_range() -> None:
    results = _results(30, 90, 10, 20, 40, 50)
    outcome = _outcome(results, (_measure(network="1"), {"at_least": 0.6}),
                       (_measure(), {"at_least": 0.6}))  # fmt: skip
    assert outcome.measured == "0.7 [0.6042, 0.7811]"
    many = _measure(network=["0", "1", "2", "3", "4", "5"])
    assert _outcome(results, (many, {"at_least": 0})).measured == "0.1 to 0.9 (6 numbers)"
    same = _outcome(_results(30, 30, 30, 30, 30, 30), (many, {"at_least": 0}))
    assert same.measured == "0.7 [0.6042, 0.7811]"
    noiseless = _outcome(_results(0), (_measure(quantity="noise_level"), {"at_least": 0}))
    assert noiseless.measured == "undefined"
    trainings = {TrainedKey(str(i), "autoencoder"): [Training(str(i), {"activation": f"a{i}"}, {})]
                 for i in range(5)}  # fmt: skip
    texts = {"network": [str(i) for i in range(5)], "model": "autoencoder", "config": "activation"}
    outcome = _outcome(_results(trainings=trainings), (texts, {"equals": "relu"}))
    assert outcome.measured == "a0, a1, a2, a3, a4"


def test_what_was_not_measured_is_not_checkable() -> None:
    outcome = _outcome(_results(30), (_measure(network="7"), {"at_least": 0}))
    assert outcome.sentence == "not checkable: not measured"
    noiseless = _outcome(_results(0), (_measure(quantity="noise_level"), {"at_least": 0}))
    assert noiseless.verdict == Verdict.NOT_CHECKABLE  # no success, no noise


def test_order_that_did_not_show_is_not_reproduced_and_says_why() -> None:
    outcome = _outcome(_results(10, 11), (_measure(network=["0", "1"]), {"order": "descending"}))
    assert outcome.sentence == "not reproduced: inside the noise"


@pytest.mark.parametrize(
    ("fallen", "holds"),
    [
        ((10, 40, 80), Holds.YES),
        ((10, 11, 80), Holds.NOISE),  # one image of a hundred
        ((11, 10, 80), Holds.NOISE),
        ((40, 10, 80), Holds.NO),
        ((10, 80, 80), Holds.NOISE),
    ],
)
def test_orders_hold_beyond_noise_alone(fallen: tuple[int, ...], holds: Holds) -> None:
    measure = _measure(network=["0", "1", "2"])
    outcome = _outcome(_results(*fallen), (measure, {"order": "descending"}))
    assert outcome.readings[0].holds == holds
    upside_down = _outcome(_results(*fallen), (measure, {"order": "ascending"}))
    assert upside_down.readings[0].holds != Holds.YES


def test_orders_of_numbers_without_examples_stand_for_themselves() -> None:
    def training(loss: float) -> list[Training]:
        return [Training("run", {"epochs": "35"}, {"train/loss": {1: 9.0, 2: loss}})]

    trainings = {TrainedKey("a", "autoencoder"): training(1.0),
                 TrainedKey("b", "autoencoder"): training(2.0)}  # fmt: skip
    results = _results(0, trainings=trainings, data={"mean_square": 0.1})
    loss = {"network": ["a", "b"], "model": "autoencoder", "metric": "train/loss"}
    assert _outcome(results, (loss, {"order": "ascending"})).verdict == Verdict.REPRODUCED
    assert _outcome(results, (loss, {"order": "descending"})).verdict == Verdict.NOT_REPRODUCED
    first = _outcome(results, (loss | {"epoch": 1}, {"near": 9, "within": 0}))
    assert first.verdict == Verdict.REPRODUCED
    echo = {"network": "a", "model": "autoencoder", "config": "epochs"}
    assert _outcome(results, (echo, {"equals": "35"})).verdict == Verdict.REPRODUCED
    assert _outcome(results, ({"data": "mean_square"}, {"at_most": 0.2})).verdict == (
        Verdict.REPRODUCED
    )


def test_estimates_as_text() -> None:
    assert str(Estimate(0.5, 0.4, 0.6, ())) == "0.5 [0.4, 0.6]"
    assert (
        str(Estimate(2.0, math.nan, math.nan, ())) == "2"
        and str(Estimate("504,28", math.nan, math.nan, ())) == "504,28"
    )


def test_mcnemar_counts_what_only_one_gets_right() -> None:
    one, other = np.zeros(20, bool), np.zeros(20, bool)
    one[:6], other[5:6] = True, True
    # five to nothing: 2 * 0.5 ** 5
    assert mcnemar(one, other) == pytest.approx(0.0625)
    assert mcnemar(one, one) == 1.0


def test_pairs_of_several_seeds_are_compared_over_seeds() -> None:
    def seeds(*hits: int) -> list[Any]:
        return [np.arange(100) < n for n in hits]

    assert paired(seeds(50), seeds(50)) == 1.0 == paired(seeds(50, 60), seeds(50, 60))
    assert paired(seeds(50, 60), seeds(40, 50)) == 0.0  # the same difference in every seed
    # differences 0.1, 0.2, 0.3: t = 0.2 / (0.1 / sqrt 3) = 3.464 on 2 degrees of freedom
    assert paired(seeds(50, 60, 70), seeds(40, 40, 40)) == pytest.approx(0.0742, abs=1e-4)


def test_unpaired_is_fishers_exact_test() -> None:
    # the lady tasting tea: 3 of 4 against 1 of 4, two-sided 34 / 70
    right, wrong = np.array([True, True, True, False]), np.array([True, False, False, False])
    assert unpaired([right], [wrong]) == pytest.approx(34 / 70)


def test_holm_multiplies_the_smallest_most() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def test_ranking_is_claimed_beyond_noise_alone() -> None:
    survivors = {name: [np.arange(100) >= n]
                 for name, n in (("a", 50), ("b", 10), ("c", 51))}  # fmt: skip
    first, second = ranking(survivors)
    assert str(first).startswith("b withstands more than a: +0.4000")
    assert str(second).startswith("a cannot be told from c: +0.0100")
