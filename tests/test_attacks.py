"""One contract for every attack, on every kind of defended model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from models import DEFENDED, FURTHER, N_CLASSES, SHAPE, N, attack, blobs, defended, logits, run

from gauntlet.attacks import base
from gauntlet.attacks.base import AttackResult, Crafted, Logits
from gauntlet.attacks.budget import TOLERANCE
from gauntlet.attacks.iterative import PGD
from gauntlet.attacks.norms import NORMS
from gauntlet.attacks.single_step import FGSM
from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.units import WHOLE_RANGE
from gauntlet.evaluation.outcomes import defeated

BOUNDED = [name for name, entry in ATTACKS.items() if entry.keeps_budget]
PUBLISHED = [name for name in ATTACKS if name not in BOUNDED]
MINIMUM_NORM = [name for name, entry in ATTACKS.items() if entry.finds_minimum]
FILLS_ITS_BUDGET = [name for name in BOUNDED if name not in (*MINIMUM_NORM, "spsa")]
RANDOM = [name for name, entry in ATTACKS.items() if entry.random]
DETERMINISTIC = [name for name in ATTACKS if name not in RANDOM]
FOLLOWING = [name for name, entry in ATTACKS.items() if entry.needs == "gradients"]
PAIRS = [(name, FURTHER[i % len(FURTHER)]) for i, name in enumerate(ATTACKS)]
"""Each attack with one further defence, and each of these with attacks of several families."""
BOXES = ((0.0, 1.0), (-2.0, 3.0), None)

every_attack = pytest.mark.parametrize("name", ATTACKS)
every_model = pytest.mark.parametrize("model", DEFENDED)


def _accuracy(images: np.ndarray, model: str) -> float:
    return float(defeated(blobs(N)[1], defended(model).predict(images)).mean())


def _all(name: str, model: Logits, epsilons: list[float], seed: int = 0) -> list[AttackResult]:
    """Attack `blobs(N)` at several budgets."""
    keeps = ATTACKS[name].keeps_budget
    return [*attack(name)(model, *blobs(N), epsilons=epsilons, seed=seed, keeps_budget=keeps)]


def _sizes(name: str, change: np.ndarray) -> np.ndarray:
    """Return the size of each change in the norm of an attack's budgets."""
    order = {"linf": np.inf, "l2": 2}[ATTACKS[name].budgets.unit.norm]
    return np.linalg.norm(change.reshape(len(change), -1), order, axis=1)


def _shows(name: str, epsilon: float) -> float:
    """Return a budget at which an attack changes something: a search may find nothing so near."""
    return WHOLE_RANGE if name in MINIMUM_NORM else epsilon


def _constant(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Logits that never change, with a gradient of zero."""
    flat = tf.reshape(images, (-1, np.prod(SHAPE)))
    return flat @ tf.zeros((np.prod(SHAPE), N_CLASSES))


@tf.autograph.experimental.do_not_convert
def _nan_where_dark(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return _nan_gradient_where_dark(images)


@tf.autograph.experimental.do_not_convert
@tf.custom_gradient
def _nan_gradient_where_dark(images: tf.Tensor) -> tuple[tf.Tensor, object]:
    """Finite logits whose gradient is NaN for each image of mean 0.5 or less."""
    dark = tf.reduce_mean(images, axis=[1, 2, 3]) <= 0.5

    def backward(upstream: tf.Tensor) -> tf.Tensor:
        rows = tf.pad(upstream, [(0, 0), (0, SHAPE[0] - N_CLASSES)])[:, :, None, None]
        return tf.where(dark[:, None, None, None], np.nan, rows * tf.ones_like(images))

    return tf.reduce_sum(images, axis=[2, 3])[:, :N_CLASSES], backward


# --- budget and box ---


@every_model
@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("epsilon", [0.05, 0.4])
def test_keeps_budget_and_box(name: str, model: str, epsilon: float) -> None:
    adversarial = run(attack(name), logits(model), epsilon)
    # float32 rounds x + delta, at most by half a unit in the last place of 1: 6e-8.
    assert _sizes(name, adversarial - blobs(N)[0]).max() <= epsilon + 2e-7
    assert adversarial.min() >= 0 and adversarial.max() <= 1
    assert adversarial.shape == blobs(N)[0].shape and adversarial.dtype == np.float32


@every_model
@pytest.mark.parametrize("name", FILLS_ITS_BUDGET)
def test_uses_its_budget(name: str, model: str) -> None:
    # 5 %: uniform noise on 192 pixels comes that near to its bound, or these seeds would differ.
    change = run(attack(name), logits(model), 0.05) - blobs(N)[0]
    assert _sizes(name, change).max() > 0.95 * 0.05


@every_model
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_attack_leaves_budget_and_box(name: str, model: str) -> None:
    adversarial = run(attack(name), logits(model), 0.6)
    assert np.abs(adversarial - blobs(N)[0]).max() > 0.6 + 1e-3
    assert adversarial.min() < 0 and adversarial.max() > 1


@every_model
@pytest.mark.parametrize("variant", ["gradient", "sign"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_lr_clip_keeps_the_box(name: str, variant: str, model: str) -> None:
    clipped = run(attack(name, lr_clip=True, lr_variant=variant), logits(model), 0.6)
    free = run(attack(name, lr_variant=variant), logits(model), 0.6)
    assert np.array_equal(clipped, free.clip(0, 1)) and not np.array_equal(clipped, free)


@pytest.mark.parametrize("name", PUBLISHED)
def test_sign_variant_keeps_the_budget(name: str) -> None:
    adversarial = run(attack(name, lr_variant="sign"), logits("dense"), 0.1)
    assert np.abs(adversarial - blobs(N)[0]).max() == pytest.approx(0.1, abs=2e-7)  # rounding


@st.composite
def _images_in_a_box(draw):
    box = draw(st.sampled_from(BOXES))
    low, high = box or (-100.0, 100.0)
    seed = draw(st.integers(0, 2**32 - 1))
    where = draw(st.sampled_from(["inside", "low", "high", "edges"]))
    uniform = np.random.default_rng(seed).random((N, *SHAPE))
    share = {
        "inside": uniform,
        "low": uniform / 100,
        "high": 1 - uniform / 100,
        "edges": uniform.round(),
    }[where]
    return box, (low + share * (high - low)).astype(np.float32).clip(low, high)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(BOUNDED),
    epsilon=st.floats(0, 1, width=32),
    box_and_images=_images_in_a_box(),
    seed=st.integers(0, 2**63 - 1),
)
def test_any_image_any_budget_any_box(name, epsilon, box_and_images, seed) -> None:
    box, images = box_and_images
    data = images, blobs(N)[1]
    adversarial = run(attack(name), logits("dense"), epsilon, data=data, box=box, seed=seed)
    largest = max(1.0, float(np.abs(images).max()))
    assert _sizes(name, adversarial - images).max() <= epsilon + TOLERANCE * largest
    assert np.isfinite(adversarial).all()
    assert box is None or (adversarial.min() >= box[0] and adversarial.max() <= box[1])


def test_rounding_of_large_negative_pixels_is_no_broken_budget() -> None:
    images = -50 * blobs(N)[0]  # no box, as behind an autoencoder with a linear output
    images[:, 0] = 0  # the largest pixel says nothing of the rounding
    for epsilon in np.arange(0.1, 0.2, 0.005).tolist():
        data = images, blobs(N)[1]
        adversarial = run(attack("fgsm"), logits("dense"), epsilon, data=data, box=None)
        # Between 32 and 64 float32 stands 3.8e-6 apart.
        assert np.abs(adversarial - images).max() <= epsilon + 3.8e-6


@pytest.mark.slow  # each pair compiles anew
@pytest.mark.parametrize(("name", "model"), PAIRS)
def test_contract_holds_for_further_defences(name: str, model: str) -> None:
    images = blobs(N)[0]
    defended(model).restart(1)
    results = _all(name, logits(model), [0, 0.2], seed=7)
    unchanged, adversarial = (result.adversarial for result in results)
    assert np.array_equal(unchanged, images) and np.isfinite(adversarial).all()
    defended(model).restart(1)
    assert np.array_equal(adversarial, _all(name, logits(model), [0, 0.2], seed=7)[1].adversarial)
    if name in BOUNDED:
        assert _sizes(name, adversarial - images).max() <= 0.2 + 2e-7  # rounding, as above
        assert adversarial.min() >= 0 and adversarial.max() <= 1


@every_attack
def test_the_catalogue_says_which_norm_a_budget_is_in(name: str) -> None:
    assert attack(name).budget_norm is NORMS[ATTACKS[name].budgets.unit.norm]
    assert name.endswith("_l2") or ATTACKS[name].budgets.unit.norm == "linf"


# --- determinism, batches, purity ---


@every_model
@every_attack
def test_same_seed_same_images_and_input_untouched(name: str, model: str) -> None:
    images = blobs(N)[0]  # read-only
    before = images.copy()
    epsilon = _shows(name, 0.1)
    first, second = (run(attack(name), logits(model), epsilon, seed=7) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(images, before) and not np.shares_memory(first, images)


@pytest.mark.parametrize("name", RANDOM)
def test_other_seed_other_images(name: str) -> None:
    epsilon = _shows(name, 0.1)
    one, two = (run(attack(name), logits("dense"), epsilon, seed=seed) for seed in (1, 2))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_attack_without_randomness_ignores_the_seed(name: str) -> None:
    epsilon = _shows(name, 0.1)
    one, two = (run(attack(name), logits("dense"), epsilon, seed=seed) for seed in (1, 2))
    assert np.array_equal(one, two)


@every_attack
def test_batch_size_does_not_matter(name: str, monkeypatch) -> None:
    epsilon = _shows(name, 0.1)
    whole = run(attack(name), logits("reformer"), epsilon, seed=3)
    monkeypatch.setattr(base, "BATCH", 5)  # 5 + 5 + 2 of 12
    parts = run(attack(name), logits("reformer"), epsilon, seed=3)
    # A matrix product over fewer rows may round otherwise: 1e-5 of a budget of 0.1. The published
    # attacks divide by their largest gradient, however small.
    assert np.abs(whole - parts).max() <= (1e-6 if name in BOUNDED else 1e-5)


@every_attack
def test_each_budget_is_attacked_for_itself_and_in_order(name: str) -> None:
    budgets = [0.2, 0.0, 0.05]
    results = _all(name, logits("dense"), budgets)
    assert [r.epsilon for r in results] == budgets
    for result in results:
        alone = run(attack(name), logits("dense"), result.epsilon)
        assert np.array_equal(result.adversarial, alone)


@every_attack
def test_budget_zero_returns_the_images(name: str) -> None:
    assert np.array_equal(run(attack(name), logits("dense"), 0.0), blobs(N)[0])


@pytest.mark.parametrize("name", BOUNDED)
def test_whole_number_is_a_budget_like_any_other(name: str) -> None:
    one, same = (run(attack(name), logits("dense"), epsilon) for epsilon in (1, 1.0))
    assert np.array_equal(one, same)


# --- refusals ---

GOOD = {"images": blobs(N)[0], "labels": blobs(N)[1], "epsilons": [0.1]}
BAD = {
    "no batch": ({"images": blobs(N)[0][0]}, "images must be float32"),
    "float64": ({"images": blobs(N)[0].astype(np.float64)}, "received float64"),
    "bytes": ({"images": blobs(N)[0].astype(np.uint8)}, "received uint8"),
    "no image": ({"images": blobs(N)[0][:0], "labels": blobs(N)[1][:0]}, "n > 0"),
    "too few labels": ({"labels": blobs(N)[1][:-1]}, r"labels must be \(12,\)"),
    "one-hot labels": ({"labels": np.eye(3)[blobs(N)[1]]}, r"received \(12, 3\)"),
    "negative": ({"epsilons": [0.1, -0.1]}, "each epsilon must be >= 0"),
    "NaN budget": ({"epsilons": [np.nan]}, "finite"),
    "infinite budget": ({"epsilons": [np.inf]}, "finite"),
    "too bright": ({"images": blobs(N)[0] + 1}, r"images must lie in \(0.0, 1.0\)"),
    "too dark": ({"images": blobs(N)[0] - 1}, r"images must lie in \(0.0, 1.0\)"),
    "NaN pixel": ({"images": blobs(N)[0] * np.float32(np.nan)}, "received nan"),
}


@pytest.mark.parametrize("name", ["fgsm", "lr_natural"])
@pytest.mark.parametrize(("change", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_refused(change: dict, said: str, name: str) -> None:
    given = GOOD | change
    with pytest.raises(ValueError, match=said):
        list(
            attack(name)(
                logits("dense"), given["images"], given["labels"], epsilons=given["epsilons"]
            )
        )


@dataclass(frozen=True)
class TwiceTheBudget(FGSM):
    def _perturb(self, threat, batch, epsilon, state):
        return Crafted(base.clip_to(threat.box, batch.images + 2 * epsilon * state), 1, 0)


@dataclass(frozen=True)
class OutOfTheBox(FGSM):
    def _perturb(self, threat, batch, epsilon, state):
        return Crafted(batch.images + epsilon * state, 1, 0)


@dataclass(frozen=True)
class NotANumber(FGSM):
    def _perturb(self, threat, batch, epsilon, state):
        return Crafted(batch.images * np.nan, 1, 0)


@dataclass(frozen=True)
class CornersInL2(PGD):
    def _perturb(self, threat, batch, epsilon, state):
        return Crafted(base.clip_to(threat.box, batch.images + 0.9 * epsilon), 1, 0)


WRONG = {
    "L2": (
        CornersInL2(1, 1.0, 1, "margin", "l2"),
        0.1,
        "moved an image, in l2, by 0.36.*epsilon 0.1",
    ),
    "budget": (TwiceTheBudget(), 0.05, "TwiceTheBudget moved a pixel by 0.1.*beyond epsilon 0.05"),
    "box": (OutOfTheBox(), 0.5, r"OutOfTheBox left the box \(0.0, 1.0\)"),
    "NaN": (NotANumber(), 0.1, "NotANumber moved a pixel by nan"),
}


@pytest.mark.parametrize(("wrong", "epsilon", "said"), WRONG.values(), ids=WRONG)
def test_attack_that_breaks_its_word_is_caught(wrong, epsilon: float, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        run(wrong, logits("dense"), epsilon)


# --- what is misclassified already ---


@every_attack
def test_misclassified_images_are_treated_as_documented(name: str) -> None:
    images, labels = blobs(N)
    wrong = labels.copy()
    wrong[::2] = (labels[::2] + 1) % N_CLASSES
    adversarial = run(attack(name), logits("dense"), 0.3, data=(images, wrong))
    moved = np.abs(adversarial - images).max(axis=(1, 2, 3)) > 0
    assert moved[::2].any() != ATTACKS[name].skips_misclassified


# --- gradients that fail ---


@pytest.mark.parametrize("variant", ["gradient", "sign"])
@pytest.mark.parametrize("name", FOLLOWING)
def test_zero_gradient_changes_nothing(name: str, variant: str) -> None:
    assert np.array_equal(run(attack(name, lr_variant=variant), _constant, 0.1), blobs(N)[0])


@every_attack
def test_nan_gradient_is_harmless(name: str) -> None:
    images, labels = blobs(N)
    bright = images.copy()
    bright[::2] = np.clip(bright[::2] + 0.35, 0, 1)  # every second image has a gradient
    adversarial = run(attack(name), _nan_where_dark, _shows(name, 0.1), data=(bright, labels))
    moved = np.abs(adversarial - bright).max(axis=(1, 2, 3))
    assert np.isfinite(adversarial).all()
    # pgd: hit before; one pixel cannot outshine a row.
    assert name == "single_pixel" or (moved[::2] > 0).sum() >= 4
    assert name in RANDOM or (moved[1::2] == 0).all()


# --- costs ---


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def _counting(seen: dict[str, int]):
    @tf.custom_gradient
    def watch(images):
        seen["forward"] += len(images)

        def backward(upstream):
            seen["backward"] += len(images)
            return upstream

        return tf.identity(images), backward

    return lambda images, labels: logits("dense")(watch(images), labels)


@every_attack
def test_costs_are_what_the_model_sees(name: str, eager) -> None:
    seen = {"forward": 0, "backward": 0}
    (result,) = _all(name, _counting(seen), [0.1])
    assert seen["backward"] == pytest.approx(result.gradient_calls * N)
    # A backward pass a pair of classes shares one forward pass.
    jacobian = N_CLASSES - 1 if name.startswith("deepfool_") else 1
    # One single image more may ask how many classes there are.
    further = seen["forward"] - seen["backward"] / jacobian - result.queries * N
    assert round(further, 6) in (0, 1)


@every_attack
def test_budget_zero_costs_nothing(name: str) -> None:
    (result,) = attack(name)(logits("dense"), *blobs(N), epsilons=[0.0])
    assert (result.gradient_calls, result.queries) == (0, 0)


# --- strength ---


@every_model
@pytest.mark.parametrize("name", ["fgsm", "bim", "pgd", "mim", "lr_non_targeted"])
def test_gradient_attack_beats_random_noise(name: str, model: str) -> None:
    noisy = _accuracy(run(attack("noise"), logits(model), 0.25), model)
    assert _accuracy(run(attack(name), logits(model), 0.25), model) < noisy - 0.2


@pytest.mark.parametrize("model", FURTHER)
@pytest.mark.parametrize("name", ["bim", "pgd"])
def test_iterative_attack_beats_random_noise_on_further_defences(name: str, model: str) -> None:
    noisy = _accuracy(run(attack("noise"), logits(model), 0.25), model)
    assert _accuracy(run(attack(name), logits(model), 0.25), model) < noisy - 0.2


@every_model
def test_iterations_succeed_at_least_as_often_as_one_step(model: str) -> None:
    for epsilon in (0.05, 0.1, 0.15, 0.2):
        one, many = (run(attack(n), logits(model), epsilon) for n in ("fgsm", "bim"))
        assert _accuracy(many, model) <= _accuracy(one, model)


@every_model
def test_more_restarts_are_never_worse(model: str) -> None:
    labels = blobs(N)[1]
    hits = [
        defended(model).predict(run(pgd, logits(model), 0.12)) != labels
        for pgd in (PGD(2, 0.5, k, "cross_entropy", "linf") for k in (1, 2, 4))
    ]
    assert (hits[0] <= hits[1]).all() and (hits[1] <= hits[2]).all()


@every_model
@pytest.mark.parametrize(("name", "aim"), [("t_fgsm", 1), ("lr_one_target", 2)])
def test_targeted_attack_reaches_its_target(name: str, aim: int, model: str) -> None:
    reached = defended(model).predict(run(attack(name), logits(model), 0.4))
    assert (blobs(N)[1] == aim).mean() == pytest.approx(1 / 3)  # before: all predictions are right
    assert (reached == aim).mean() >= 2 / 3
