"""Quantities: their numbers by hand, their denominators, and which noise test each has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gauntlet.evaluation.outcomes import Outcome
from gauntlet.evaluation.quantities import (
    NATURAL,
    OF_DATA,
    OF_IMAGES,
    OF_TRAININGS,
    PARAMETER,
    ROBUST_ACCURACY,
    SUCCESS_RATE,
    target,
)
from gauntlet.evaluation.quantity import Over, Replicated, Sample, Share, Unit, p_value
from gauntlet.evaluation.statistics import Interval, mcnemar

# Six images of class 0: wrong before, kept, rejected, two successes, and one rejected before.
OUTCOME = Outcome(
    labels=np.zeros(6, int),
    clean=np.array([1, 0, 0, 0, 0, -1]),
    attacked=np.array([1, 0, -1, 1, 2, 2]),
    noise_l2=np.array([9, 9, 9, 1, 3, 9], np.float32),
    concentration=np.array([0, 0, 0, 0, 0.5, 1], np.float32),
)
NUMBERS = {
    "clean_accuracy": (4 / 6, Over.ATTACKED),
    "robust_accuracy": (2 / 6, Over.ATTACKED),
    "drop": (2 / 6, Over.ATTACKED),
    "success_rate": (2 / 6, Over.ATTACKED),
    "success_rate_of_correct": (2 / 4, Over.CORRECT),
    "noise_level": (2.0, Over.SUCCESSES),
    "median_noise_level": (2.0, Over.SUCCESSES),
    "unchanged": (2 / 6, Over.ATTACKED),
    "concentration": (0.25, Over.ATTACKED),
}


def test_every_quantity_has_its_number_here() -> None:
    assert NUMBERS.keys() == OF_IMAGES.keys()


@pytest.mark.parametrize("name", NUMBERS)
def test_number_and_denominator(name: str) -> None:
    quantity, (value, over) = OF_IMAGES[name], NUMBERS[name]
    assert quantity.measure(OUTCOME).value == pytest.approx(value)
    assert quantity.name == name and quantity.over is over and str(over) in str(quantity)


@pytest.mark.parametrize("quantity", OF_IMAGES.values(), ids=OF_IMAGES)
def test_shares_of_all_images_alone_replicate_images(quantity) -> None:
    assert isinstance(quantity, Share) == (quantity.replicated is Replicated.IMAGES)
    assert not isinstance(quantity, Share) or quantity.unit is Unit.SHARE


def test_mean_over_seeds_keeps_one_seeds_interval_and_drops_undefined_seeds() -> None:
    one, undefined = Interval(0.5, 0.4, 0.6), Interval(math.nan, math.nan, math.nan)
    assert ROBUST_ACCURACY.over_seeds([undefined, one]) == one
    assert math.isnan(ROBUST_ACCURACY.over_seeds([undefined]).value)
    level = OF_IMAGES["noise_level"].over_seeds([one, Interval(1.5, math.nan, math.nan)])
    assert level.value == 1.0 and math.isnan(level.low)


HITS = [np.arange(100) < n for n in (50, 60, 70)]


def _shares(*hits: np.ndarray, quantity=SUCCESS_RATE) -> Sample:
    values = {seed: float(one.mean()) for seed, one in enumerate(hits)}
    return Sample(quantity, values, dict(enumerate(hits)))


def test_shares_are_tested_over_images_and_other_numbers_over_seeds() -> None:
    one, other = _shares(HITS[0]), _shares(HITS[1])
    assert p_value(one, other) == mcnemar(HITS[0], HITS[1])
    loss = Sample(OF_TRAININGS, {0: 0.4})
    assert p_value(one, loss) is None  # one seed
    three = Sample(OF_TRAININGS, dict.fromkeys(range(3), 0.4))
    assert p_value(_shares(*HITS), three) == pytest.approx(0.0742, abs=1e-4)
    elsewhere = one._replace(values={7: 0.5}, hits={7: HITS[0]})
    assert p_value(elsewhere, other) is None  # no seed in common


@pytest.mark.parametrize("quantity", [OF_DATA, PARAMETER, target(NATURAL, 0)], ids=lambda q: q.name)
def test_what_is_not_replicated_is_not_tested(quantity) -> None:
    assert quantity.replicated is Replicated.NOTHING
    one, other = ({0: 1.0, 1: 2.0, 2: 4.0}, {0: 5.0, 1: 9.0, 2: 7.0})
    assert p_value(Sample(quantity, one), Sample(quantity, other)) is None
