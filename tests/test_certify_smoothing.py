"""Certified radii of smoothed classifiers, against what is known in closed form."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
from models import SHAPE, N, affine, attack, blobs, defended, logits
from numpy.typing import NDArray
from scipy.stats import binom, norm

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.certificates.proof import Question, joined
from gauntlet.certificates.smoothing import (
    BLOCK,
    certified_radius,
    certify,
    classes_of_draws,
    lower_bound,
)
from gauntlet.config.command_line import parse
from gauntlet.defences.smoothing import SmoothedModel
from gauntlet.errors import UsageError

PIXELS = int(np.prod(SHAPE))
SIGMA = 0.25

# --- the bound ---


@pytest.mark.parametrize("alpha", [0.001, 0.05])
@pytest.mark.parametrize("n", [1, 10, 1000, 100_000])
def test_bound_of_nothing_but_hits_and_of_none(n: int, alpha: float) -> None:
    """All n are hits with probability p^n, which is alpha for p = alpha^(1/n)."""
    assert lower_bound(n, n, alpha) == pytest.approx(alpha ** (1 / n), rel=1e-12)
    assert lower_bound(0, n, alpha) == 0


def test_bound_by_hand() -> None:
    """One hit or two of two: 1 - (1 - p)^2 = 0.19 for p = 0.1."""
    assert lower_bound(1, 2, 0.19) == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize(("hits", "n"), [(3, 7), (60, 100), (9_990, 10_000), (50_321, 100_000)])
def test_bound_is_where_so_many_hits_have_probability_alpha(hits: int, n: int) -> None:
    bound = lower_bound(hits, n, 0.001)
    assert binom.sf(hits - 1, n, bound) == pytest.approx(0.001, rel=1e-6)
    assert 0 < bound < hits / n


# --- a linear model of two classes ---

NORMAL = np.random.default_rng(0).normal(size=PIXELS).astype(np.float32)
MIDDLE = np.full((1, *SHAPE), 0.5, np.float32)


@cache
def linear() -> SmoothedModel:
    """Return a model that says 1 on one side of the plane through `MIDDLE`, and 0 on the other.

    Its smoothed classifier says the same: noise crosses the plane with the same probability from
    both sides, so the distance to the plane is the true radius.
    """
    weights = np.stack([np.zeros(PIXELS, np.float32), NORMAL], axis=1)
    return _smoothed(affine(weights, [0.0, -float(NORMAL.sum()) / 2]), SIGMA)


def _smoothed(base: keras.Model, sigma: float) -> SmoothedModel:
    return SmoothedModel(base, sigma=sigma, samples=1, judge_draws=1, seed=0)


def _at(distance: float) -> NDArray[np.float32]:
    """Return an image at a signed distance of the plane."""
    direction = NORMAL.reshape(MIDDLE.shape) / np.linalg.norm(NORMAL)
    return (MIDDLE + distance * direction).astype(np.float32)


def certified(distance: float, n: int = 2000, seed: int = 0, **more: int) -> tuple[int, float]:
    return certified_radius(linear(), _at(distance), seed, n0=100, n=n, alpha=0.001, **more)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("distance", [0.1, 0.25, 0.5])
def test_radius_is_below_the_distance_of_the_plane_and_near_it(distance: float, side: int) -> None:
    """The share of hits is within 5 standard errors of p, and the bound 5 more below it."""
    n, p = 20_000, norm.cdf(distance / SIGMA)
    low = SIGMA * norm.ppf(p - 10 * np.sqrt(p * (1 - p) / n))
    chosen, radius = certified(side * distance, n)
    assert chosen == (side > 0) and low < radius <= distance


def test_bound_holds_as_often_as_it_says() -> None:
    """At alpha = 0.1, more than 26 of 150 radii that are too large have a probability of 0.002."""
    often = {"n0": 100, "n": 100, "alpha": 0.1}
    radii = [certified_radius(linear(), _at(0.25), seed, **often)[1] for seed in range(150)]
    assert 0 < np.sum(np.array(radii) > 0.25) <= 26


def test_on_the_plane_it_abstains() -> None:
    assert [certified(0.0, seed=seed)[1] for seed in range(10)] == [0.0] * 10


def test_far_from_the_plane_the_number_of_draws_decides() -> None:
    radii = [certified(10 * SIGMA, n)[1] for n in (10, 100, 1000, 10_000)]
    expected = [SIGMA * norm.ppf(0.001 ** (1 / n)) for n in (10, 100, 1000, 10_000)]
    assert radii == pytest.approx(expected, rel=1e-9) and radii == sorted(radii)


def test_radius_grows_with_sigma_where_nothing_errs() -> None:
    image, weights = _at(0.0), np.zeros((PIXELS, 2), np.float32)
    always = affine(weights, [0.0, 1.0])
    one, other = (
        certified_radius(_smoothed(always, sigma), image, 0, n0=100, n=1000, alpha=0.001)
        for sigma in (0.2, 0.4)
    )
    assert other[1] == pytest.approx(2 * one[1])


# --- draws ---


def test_same_seed_same_bits_other_seed_others() -> None:
    one, again, other = (certified(0.1, seed=seed) for seed in (0, 0, 1))
    assert one == again and one[1] != other[1]


@pytest.mark.parametrize("blocks", [1, 3, 1000])
def test_how_many_are_classified_at_once_changes_nothing(blocks: int) -> None:
    assert certified(0.1, n=1234, blocks=blocks) == certified(0.1, n=1234)


def test_more_draws_begin_with_the_same() -> None:
    few, many = (classes_of_draws(linear(), _at(0.1), n, 3) for n in (2 * BLOCK + 50, 3 * BLOCK))
    assert len(few) == 2 * BLOCK + 50 and np.array_equal(few, many[: len(few)])
    first, second, third = many.reshape(3, BLOCK)
    assert not np.array_equal(first, second) and not np.array_equal(second, third)


# --- proofs ---


def test_proven_is_what_is_right_and_has_the_radius() -> None:
    images = np.concatenate([_at(distance) for distance in (0.3, -0.3, 0.3, 0.0, 0.05)])
    labels = np.array([1, 0, 0, 1, 1])
    question = Question(linear(), images, labels, [0.0, 0.1, 0.4], 7)
    found = joined(certify(question, n0=100, n=5000, alpha=0.001))
    radius, predicted, abstained = map(found.findings.get, ("radius", "predicted", "abstained"))
    assert found.proven.tolist() == [
        [True, True, False, False, True],
        [True, True, False, False, False],
        [False] * 5,
    ]
    assert predicted[[0, 1, 2, 4]].tolist() == [1, 0, 1, 1]
    assert abstained.tolist() == [False, False, False, True, False]
    assert np.array_equal(radius == 0, abstained) and radius[0] != radius[2]  # other draws
    assert (radius[:3] > 0.1).all() and (radius[:3] <= 0.3).all() and radius[4] <= 0.05


@pytest.mark.parametrize(
    ("alpha", "least"), [("0.001", 10), ("0.25", 3), ("0.3", 2), ("0.5", 2), ("0.6", 1)]
)
def test_fewer_draws_than_can_certify_anything_are_refused(alpha: str, least: int) -> None:
    given = {"defence": "smoothing", "certificates": "smoothing", "smoothing_alpha": alpha}
    assert parse("attack", given | {"smoothing_n": str(least)})
    assert lower_bound(least, least, float(alpha)) > 0.5
    if least > 1:
        assert lower_bound(least - 1, least - 1, float(alpha)) <= 0.5
        said = rf"^--smoothing_n: expected at least {least} draws, .*={alpha}; received {least - 1}"
        with pytest.raises(UsageError, match=said):
            parse("attack", given | {"smoothing_n": str(least - 1)})


def test_what_is_not_smoothed_is_left_out_or_refused() -> None:
    given = {"certificates": "smoothing", "defence": "none,smoothing"}
    one, other = parse("attack", given).certifying()
    assert str(one).endswith("; received no noise of defence none") and not other.obstacle
    with pytest.raises(UsageError, match=r"^--certificates: smoothing needs Gaussian noise before"):
        parse("attack", given | {"defence": "none,reformer"})


@pytest.mark.parametrize("defence", ["smoothing", "denoised_smoothing"])
def test_what_is_smoothed_has_no_other_certificate(defence: str) -> None:
    with pytest.raises(UsageError, match=f"; received noise of defence {defence}.$"):
        parse("attack", {"certificates": "relaxation", "defence": defence})


# --- attacks cannot pass it ---

L2_ATTACKS = [name for name, entry in ATTACKS.items() if entry.budgets.unit.norm == "l2"]


@pytest.mark.slow  # each attack is compiled twice
@pytest.mark.parametrize("model", ["smoothing", "denoised_smoothing"])
@pytest.mark.parametrize("name", L2_ATTACKS)
def test_no_attack_in_l2_fells_an_image_within_its_radius(name: str, model: str) -> None:
    """Where it attacks, the smoothed classifier is asked anew, with a bound of its own.

    Of a dozen images one certificate of two is wrong with a probability of 0.024 at most.
    """
    (images, labels), asked = blobs(N), {"n0": 100, "n": 5000, "alpha": 0.001}
    before = [certified_radius(defended(model), x[None], i, **asked) for i, x in enumerate(images)]
    classes, radii = map(np.array, zip(*before, strict=True))
    right = classes == labels
    epsilon = 0.95 * float(np.quantile(radii[right], 0.25))
    defended(model).restart(1)
    (result,) = attack(name)(logits(model), images, labels, epsilons=[epsilon])
    assert np.sum(right & (radii > epsilon)) > N / 2
    for i in np.flatnonzero(right & (radii > epsilon)):
        found, radius = certified_radius(
            defended(model), result.adversarial[i][None], N + i, **asked
        )
        assert found == labels[i] or radius == 0, (i, radius)
