"""From cells to numbers to verdicts, by cases that a hand can compute."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_cells import made_cell

from gauntlet.cells.result import CellResult
from gauntlet.evaluation.statistics import holm, mcnemar, paired, unpaired
from gauntlet.report.claims.outcomes import Holds, Verdict
from gauntlet.report.claims.ranking import ranking, survivors
from gauntlet.report.claims.results import Estimate, Key, Results, TrainedKey, TrainedRun
from gauntlet.report.claims.schema import Claim
from gauntlet.report.claims.verdicts import counts, judge

N = 100


def _cell(fallen: int, *, defence: str = "encoded", noise: float = 2.0) -> CellResult:
    """Return a cell of a hundred images of class 3, of which the first `fallen` become a 4."""
    lost = [(), range(fallen)]
    run_id = f"run {fallen}"
    return made_cell("bim", lost, defence=defence, n=N, label=3, noise=noise, run_id=run_id)


def _results(*fallen: int | tuple[int, ...], **more: Any) -> Results:
    """Return networks `0`, `1`, ... whose cells lose so many images, one number per seed."""
    seeds = [f if isinstance(f, tuple) else (f,) for f in fallen]
    cells = {
        Key(str(i), "dense", "bim", "encoded", "white_box"): {
            s: _cell(n) for s, n in enumerate(each)
        }
        for i, each in enumerate(seeds)
    }
    return Results(**{"cells": cells, "trainings": {}, "data": {}, "failed": {}} | more)


def _measure(**own: Any) -> dict[str, Any]:
    return {
        "network": "0",
        "part": "dense",
        "attack": "bim",
        "defence": "encoded",
        "threat_model": "white_box",
        "epsilon": 0.1,
        "quantity": "robust_accuracy",
    } | own


def _outcome(results: Results, *readings: tuple[Any, dict[str, Any]]) -> Any:
    """Judge a claim with a check per reading: of one measure, or of a list of them."""
    claim = Claim.model_validate(
        {
            "id": "it",
            "where": "1",
            "text": "it",
            "published": "it",
            "tolerance": "none",
            "readings": [
                {
                    "name": f"reading {i}",
                    "checks": [{"measures": m if isinstance(m, list) else [m], "expect": e}],
                }
                for i, (m, e) in enumerate(readings)
            ],
        }
    )
    return judge([claim], results)[0]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("clean_accuracy", 1.0),
        ("robust_accuracy", 0.7),
        ("drop", 0.3),
        ("success_rate", 0.3),
        ("unchanged", 0.7),
        ("noise_level", 2.0),
        ("concentration", 0.5),
    ],
)
def test_quantities_of_a_cell(quantity: str, expected: float) -> None:
    outcome = _outcome(_results(30), (_measure(quantity=quantity), {"near": expected, "within": 0}))
    (check,) = outcome.readings[0].checks
    assert check.estimates[0].value == pytest.approx(expected)
    assert check.estimates[0].run_ids == ("run 30",)


def test_targets_are_where_most_and_fewest_images_go() -> None:
    for quantity, expected in (("natural_target", 4), ("non_natural_target", 0)):
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
    outcome = _outcome(
        _results(30, 90),
        (_measure(), {"at_least": 0.6}),
        (_measure(network="1"), {"at_least": 0.6}),
    )
    assert outcome.sentence == "reproduced only under reading 0"


def test_measured_is_what_holds_first_and_of_many_numbers_their_range() -> None:
    results = _results(30, 90, 10, 20, 40, 50)
    outcome = _outcome(
        results, (_measure(network="1"), {"at_least": 0.6}), (_measure(), {"at_least": 0.6})
    )
    assert outcome.measured == "0.7 [0.6042, 0.7811]"
    many = _measure(network=["0", "1", "2", "3", "4", "5"])
    assert _outcome(results, (many, {"at_least": 0})).measured == "0.1 to 0.9 (6 numbers)"
    same = _outcome(_results(30, 30, 30, 30, 30, 30), (many, {"at_least": 0}))
    assert same.measured == "0.7 [0.6042, 0.7811]"
    noiseless = _outcome(_results(0), (_measure(quantity="noise_level"), {"at_least": 0}))
    assert noiseless.measured == "undefined"
    trainings = {
        TrainedKey(str(i), "autoencoder"): {0: TrainedRun(str(i), "", {"activation": f"a{i}"}, {})}
        for i in range(5)
    }
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


def _losses(**seeds: tuple[float | None, ...]) -> dict[str, Any]:
    """Return trainings of networks that end with these losses, one per seed; None: it failed."""
    trainings = {
        TrainedKey(name, "autoencoder"): {
            seed: TrainedRun(
                f"run {loss}",
                f"examination of {loss}",
                {"epochs": "40", "init_epochs": "9"},
                {"train/loss": {1: 9.0, 2: loss}},
            )
            for seed, loss in enumerate(losses)
            if loss is not None
        }
        for name, losses in seeds.items()
    }
    return {"trainings": trainings}


LOSS = {"network": ["a", "b"], "model": "autoencoder", "metric": "train/loss"}

ORDERS_OF_LOSSES = {
    # losses of a and b, one per seed -> whether a < b holds, whether a > b does
    "one seed": ((1.0,), (2.0,), Holds.UNTESTED, Holds.UNTESTED),
    "one seed, equal": ((1.0,), (1.0,), Holds.UNTESTED, Holds.UNTESTED),
    # differences 1.0, 0.9, 1.1: t = 1 / (0.1 / sqrt 3) = 17.3 on 2 degrees of freedom, p = 0.0033
    "beyond noise": ((1.0, 1.1, 1.2), (2.0, 2.0, 2.3), Holds.YES, Holds.NO),
    # differences 0.1, 0.2, 0.3: p = 0.0742
    "inside the noise": ((1.0, 1.0, 1.0), (1.1, 1.2, 1.3), Holds.NOISE, Holds.NOISE),
    "no spread": ((1.0, 1.1, 1.2), (2.0, 2.1, 2.2), Holds.UNTESTED, Holds.UNTESTED),
    "one seed in common": ((1.0, 1.1, 1.2), (2.0,), Holds.UNTESTED, Holds.UNTESTED),
    # Seeds 1 to 3 differ as beyond noise; the failed seed 0 may not move b's others to a's others.
    "a failed seed": ((9.0, 1.0, 1.1, 1.2), (None, 2.0, 2.0, 2.3), Holds.YES, Holds.NO),
    "no seed in common": ((1.0, 1.1, None), (None, None, 2.0), Holds.UNTESTED, Holds.UNTESTED),
}


@pytest.mark.parametrize(
    ("a", "b", "rises", "falls"), ORDERS_OF_LOSSES.values(), ids=ORDERS_OF_LOSSES
)
def test_orders_of_losses_are_tested_over_seeds_or_not_at_all(a, b, rises, falls) -> None:
    results = _results(0, **_losses(a=a, b=b))
    for order, holds in (("ascending", rises), ("descending", falls)):
        assert _outcome(results, (LOSS, {"order": order})).readings[0].holds == holds


ORDERS_OF_CELLS = {
    # quantity, its numbers in two networks, one per seed -> whether the first is less
    "drop, one seed": ("drop", (10,), (80,), Holds.UNTESTED),
    "noise, one seed": ("noise_level", (2.0,), (9.0,), Holds.UNTESTED),
    "concentration, one seed": ("concentration", (0.1,), (0.9,), Holds.UNTESTED),
    # Differences 30, 40, 50 of 100: t = 0.4 / (0.1 / sqrt 3) = 6.93 on 2 degrees, p = 0.0202.
    "drop": ("drop", (10, 10, 10), (40, 50, 60), Holds.YES),
    "drop, wrong way": ("drop", (40, 50, 60), (10, 10, 10), Holds.NO),
    "noise": ("noise_level", (2.0, 2.0, 2.0), (5.0, 6.0, 7.0), Holds.YES),
    # Differences 1, 2, 3: p = 0.0742.
    "concentration in noise": ("concentration", (0.1, 0.1, 0.1), (0.2, 0.3, 0.4), Holds.NOISE),
}


@pytest.mark.parametrize(
    ("quantity", "one", "other", "holds"), ORDERS_OF_CELLS.values(), ids=ORDERS_OF_CELLS
)
def test_orders_of_what_is_no_share_are_tested_over_seeds(quantity, one, other, holds) -> None:
    def cell(number: float) -> CellResult:
        made = _cell(int(number) if quantity == "drop" else 30, noise=number)
        return replace(made, concentration=np.full((2, N), number, np.float32))

    cells = {
        Key(str(i), "dense", "bim", "encoded", "white_box"): {
            s: cell(n) for s, n in enumerate(seeds)
        }
        for i, seeds in enumerate((one, other))
    }
    measure = _measure(network=["0", "1"], quantity=quantity)
    (reading,) = _outcome(_results(cells=cells), (measure, {"order": "ascending"})).readings
    assert reading.holds == holds
    assert [estimate.value for estimate in reading.checks[0].estimates] == pytest.approx(
        [
            np.mean(one) / (100 if quantity == "drop" else 1),
            np.mean(other) / (100 if quantity == "drop" else 1),
        ]
    )


def test_claim_that_no_test_decides_is_not_tested_and_shows_its_numbers() -> None:
    results = _results(10, 80, **_losses(a=(1.0,), b=(2.0,)))
    untested = (LOSS, {"order": "ascending"})
    alone = _outcome(results, untested)
    assert alone.sentence == "not tested: no noise of these numbers is known"
    assert (alone.measured, alone.verdict) == ("1, 2", Verdict.NOT_TESTED)
    shares = _measure(network=["0", "1"])
    held = _outcome(results, untested, (shares, {"order": "descending"}))
    assert held.sentence == "reproduced only under reading 1"
    contradicted = _outcome(results, untested, (shares, {"order": "ascending"}))
    assert contradicted.sentence == "not reproduced, not tested under reading 0"
    assert counts([alone, held, contradicted])[Verdict.NOT_TESTED] == 1


def test_untested_step_is_not_corrected_for_and_does_not_hide_a_contradiction() -> None:
    # Six images to nothing: 2 * 0.5 ** 6 = 0.031, beyond noise of one test and not of two.
    results = _results(0, 6, **_losses(a=(1.0,)))
    measures = [_measure(network=["0", "1"]), LOSS | {"network": "a"}]
    for order, holds in (("ascending", Holds.NO), ("descending", Holds.UNTESTED)):
        assert _outcome(results, (measures, {"order": order})).readings[0].holds == holds


DIVERGED = {
    # losses of the seeds that did not diverge; which networks diverged -> a < b, a > b
    "the greater": ({"a": (1.0,)}, "b", Holds.YES, Holds.NO),
    "the less": ({"b": (1.0,)}, "a", Holds.NO, Holds.YES),
    "both": ({}, "ab", Holds.NO, Holds.NO),
    "all seeds of one": ({"a": (1.0, 2.0)}, "b", Holds.YES, Holds.NO),
    "some seeds of one": ({"a": (1.0, 2.0), "b": (1.0,)}, "b", Holds.UNTESTED, Holds.UNTESTED),
}


@pytest.mark.parametrize(("seeds", "who", "rises", "falls"), DIVERGED.values(), ids=DIVERGED)
def test_no_noise_of_finite_losses_reaches_an_infinite_one(seeds, who, rises, falls) -> None:
    results = _results(0, **_losses(**seeds), diverged={name: {0: "epoch 1"} for name in who})
    for order, holds in (("ascending", rises), ("descending", falls)):
        assert _outcome(results, (LOSS, {"order": order})).readings[0].holds == holds


def test_shares_of_different_images_are_compared_over_seeds_too() -> None:
    hundred, fifty = (
        {seed: np.arange(n) < share * n for seed, share in enumerate(shares)}
        for n, shares in ((100, (0.5, 0.6, 0.7)), (50, (0.4, 0.4, 0.4)))
    )
    assert paired(hundred, fifty) == pytest.approx(0.0742, abs=1e-4)
    assert paired({0: hundred[0]}, {0: fifty[0]}) == unpaired(hundred[0], fifty[0])


def test_numbers_of_trainings_and_of_the_data() -> None:
    results = _results(0, **_losses(a=(1.0,)), data={"mean_square": 0.1})
    loss = LOSS | {"network": "a"}
    first = _outcome(results, (loss | {"epoch": 1}, {"near": 9, "within": 0}))
    assert first.verdict == Verdict.REPRODUCED
    echo = {"network": "a", "model": "autoencoder", "config": "epochs"}
    assert _outcome(results, (echo, {"equals": "40"})).verdict == Verdict.REPRODUCED
    rest = _outcome(results, (echo | {"minus": "init_epochs"}, {"equals": "31"}))
    assert rest.verdict == Verdict.REPRODUCED and rest.measured == "31"
    (check,) = rest.readings[0].checks
    assert str(check.measures[0]) == "parameter epochs - init_epochs (a, autoencoder)"
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
    def seeds(*hits: int) -> dict[int, Any]:
        return {seed: np.arange(100) < n for seed, n in enumerate(hits)}

    assert paired(seeds(50), seeds(50)) == 1.0 == paired(seeds(50, 60), seeds(50, 60))
    # The same difference in every seed: no spread to test it with, so images are, ten to nothing.
    assert paired(seeds(50, 60), seeds(40, 50)) == pytest.approx(2 * 0.5**10)
    # A network that no seed moves is one network: five trainings of it prove no more than one.
    assert paired(seeds(*[52] * 5), seeds(*[50] * 5)) == pytest.approx(2 * 0.5**2)
    # differences 0.1, 0.2, 0.3: t = 0.2 / (0.1 / sqrt 3) = 3.464 on 2 degrees of freedom
    assert paired(seeds(50, 60, 70), seeds(40, 40, 40)) == pytest.approx(0.0742, abs=1e-4)


def test_unpaired_is_fishers_exact_test() -> None:
    # the lady tasting tea: 3 of 4 against 1 of 4, two-sided 34 / 70
    right, wrong = np.array([True, True, True, False]), np.array([True, False, False, False])
    assert unpaired(right, wrong) == pytest.approx(34 / 70)


def test_holm_multiplies_the_smallest_most() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def test_ranking_is_claimed_beyond_noise_alone() -> None:
    left = {name: {0: np.arange(100) >= n} for name, n in (("a", 50), ("b", 10), ("c", 51))}
    first, second = ranking(left)
    assert str(first).startswith("b withstands more than a: +0.4000")
    assert str(second).startswith("a cannot be told from c: +0.0100")


def test_ranking_counts_the_seeds_that_all_defences_have() -> None:
    everything, nothing, half = np.arange(100) >= 0, np.arange(100) < 0, np.arange(100) >= 50
    (pair,) = ranking({"a": {0: everything, 1: nothing}, "b": {1: half}})
    assert (pair.better, pair.worse, pair.difference) == ("b", "a", 0.5)
    assert ranking({"a": {0: everything}, "b": {1: half}}) == ranking({}) == []


def test_survivors_are_of_the_seeds_that_every_attack_has() -> None:
    attacks = [{0: _cell(10), 1: _cell(20), 2: _cell(30)}, {0: _cell(40), 2: _cell(5)}]
    left = survivors(attacks, 0.1)
    assert {seed: int(images.sum()) for seed, images in left.items()} == {0: 60, 2: 70}
    assert survivors([{0: _cell(10)}, {1: _cell(10)}], 0.1) == survivors([], 0.1) == {}
