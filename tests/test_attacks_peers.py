"""Attacks and smoothing against foolbox 3.3.4, ART 1.20.1 and, by golden numbers, foolbox 1.8."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import golden_foolbox1
import keras
import numpy as np
import pytest
import tensorflow as tf
from models import DEFENDED, N_CLASSES, SHAPE, N, attack, blobs, defended, logits, plain, run
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from gauntlet.attacks.gradients import LOSSES
from gauntlet.attacks.iterative import _projected_ascent
from gauntlet.attacks.norms import L2
from gauntlet.attacks.threat_models import logits_of
from gauntlet.certificates.smoothing import certified_radius

pytestmark = pytest.mark.slow

IMAGES = blobs(N)[0]
LABELS = np.concatenate([blobs(N)[1][1:2], blobs(N)[1][1:]])  # the first image is misclassified

EVERYTHING = 1.0  # the budget at which a minimum-norm attack shows all that it found

every_model = pytest.mark.parametrize("model", DEFENDED)


@pytest.fixture(scope="module")
def art(tmp_path_factory) -> Any:
    """Import ART away from home, where its import writes `~/.art`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        import art.attacks.evasion
        import art.estimators.classification
    return art


@pytest.fixture
def by_art(art) -> Callable[..., NDArray[np.float32]]:
    """Return what an attack of ART makes of `IMAGES`, whose labels are the targets if targeted."""

    def craft(
        name: str, model: str, labels: NDArray[np.int64] = LABELS, **options: Any
    ) -> NDArray[np.float32]:
        classifier = art.estimators.classification.TensorFlowV2Classifier(
            defended(model).graph,
            N_CLASSES,
            SHAPE,
            loss_object=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            clip_values=(0.0, 1.0),
        )
        attack = getattr(art.attacks.evasion, name)(classifier, verbose=False, **options)
        adversarial: NDArray[np.float32] = attack.generate(IMAGES, labels)
        return adversarial

    return craft


def by_foolbox(
    name: str, model: str, epsilon: float | None = None, **options: Any
) -> NDArray[np.float32]:
    """Return what an attack of foolbox 3 makes of `IMAGES`."""
    import foolbox

    attack = getattr(foolbox.attacks, name)(**options)
    attacked = foolbox.TensorFlowModel(tf.function(plain(model)), bounds=(0, 1), device="/CPU:0")
    images, labels = tf.constant(IMAGES), tf.constant(LABELS)
    return np.asarray(attack(attacked, images, labels, epsilons=epsilon)[0])


def foolbox_with_balls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mend foolbox 3.3.4: its L2 FMN divides a norm by itself, and so keeps to no ball."""
    import foolbox

    def project(self: Any, x: Any, x0: Any, epsilon: Any) -> Any:
        norms = (x - x0).flatten(start=1).norms.l2(axis=-1).maximum(1e-12)
        return x0 + (x - x0) * foolbox.devutils.atleast_kd((epsilon / norms).minimum(1), x.ndim)

    monkeypatch.setattr(foolbox.attacks.L2FMNAttack, "project", project)


def fooled(model: str, images: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which of `IMAGES` the model misclassifies once they are replaced by `images`."""
    return np.argmax(plain(model)(images), axis=1) != LABELS


def norms(images: NDArray[np.float32], order: float = 2) -> NDArray[np.float32]:
    """Return the norms of the change from `IMAGES`: L2, or those of another order."""
    return np.linalg.norm((images - IMAGES).reshape(N, -1), order, axis=1)


@cache
def ours(name: str, model: str, epsilon: float = EVERYTHING, **options: Any) -> NDArray[np.float32]:
    """Return what an attack of this project makes of `IMAGES`."""
    return run(attack(name, **options), logits(model), epsilon, data=(IMAGES, LABELS))


@every_model
@pytest.mark.parametrize("epsilon", [0.05, 0.2])
@pytest.mark.parametrize("peer", ["LinfPGD", "LinfBasicIterativeAttack"])
def test_bim_equals_foolbox(model: str, epsilon: float, peer: str) -> None:
    theirs = by_foolbox(peer, model, epsilon, steps=6, rel_stepsize=0.25, random_start=False)
    adversarial = ours("bim", model, epsilon, steps=6, rel_step=0.25)
    np.testing.assert_allclose(adversarial, theirs, rtol=0, atol=1e-5)


@every_model
def test_bim_equals_art(model: str, by_art) -> None:
    theirs = by_art("ProjectedGradientDescent", model, eps=0.2, eps_step=0.05, max_iter=6)
    adversarial = ours("bim", model, 0.2, steps=6, rel_step=0.25)
    np.testing.assert_allclose(adversarial, theirs, rtol=0, atol=1e-5)


@every_model
@pytest.mark.parametrize("epsilon", [0.1, 0.15])
def test_pgd_is_as_strong_as_foolbox(model: str, epsilon: float) -> None:
    theirs = by_foolbox("LinfPGD", model, epsilon, steps=20, rel_stepsize=0.125, random_start=False)
    adversarial = ours("pgd", model, epsilon, steps=20, rel_step=0.125, restarts=3)
    assert np.all(fooled(model, adversarial) >= fooled(model, theirs))


@every_model
@pytest.mark.parametrize(
    ("name", "peer"), [("deepfool_l2", "L2DeepFoolAttack"), ("deepfool_linf", "LinfDeepFoolAttack")]
)
def test_deepfool_equals_foolbox(model: str, name: str, peer: str) -> None:
    theirs = by_foolbox(peer, model, steps=50)
    adversarial = ours(name, model, deepfool_variant="foolbox3", deepfool_steps=50)
    found = fooled(model, theirs)
    assert found.sum() > 1 and np.array_equal(fooled(model, adversarial), found)
    np.testing.assert_allclose(adversarial[found], theirs[found], rtol=0, atol=1e-4)


def test_deepfool_l2_is_as_near_as_art(by_art) -> None:
    """ART overshoots at the end alone, by 1e-6 here; the paper's variant by 2 %."""
    theirs = by_art("DeepFool", "dense", max_iter=50, epsilon=1e-6, nb_grads=N_CLASSES)
    adversarial = ours("deepfool_l2", "dense", deepfool_variant="paper", deepfool_steps=50)
    right = ~fooled("dense", IMAGES)  # ART would turn a misclassified image into a right one
    assert np.all(fooled("dense", adversarial)[right])
    np.testing.assert_allclose(norms(adversarial)[right], norms(theirs)[right], rtol=0.03)


def test_cw_is_as_near_as_foolbox() -> None:
    """Foolbox returns a black image where it found nothing: it counts as none."""
    theirs = by_foolbox(
        "L2CarliniWagnerAttack",
        "dense",
        binary_search_steps=5,
        steps=40,
        stepsize=0.1,
        initial_const=1e-2,
        abort_early=False,
    )
    adversarial = ours("cw_l2", "dense", cw_steps=40, cw_searches=5, cw_rate=0.1)
    found = fooled("dense", theirs) & theirs.any(axis=(1, 2, 3))
    assert found.sum() > 1 and np.array_equal(fooled("dense", adversarial), found)
    assert norms(adversarial)[found].mean() <= 1.05 * norms(theirs)[found].mean()


@pytest.fixture
def numpy_1(monkeypatch) -> None:
    """Give eagerpy 0.30, on which foolbox stands, a function that NumPy 2 removed."""
    monkeypatch.setattr(
        np, "find_common_type", lambda arrays, _: np.result_type(*arrays), raising=False
    )


@every_model
@pytest.mark.parametrize(
    ("name", "peer", "order"),
    [("fmn_linf", "LInfFMNAttack", np.inf), ("fmn_l2", "L2FMNAttack", 2)],
)
def test_fmn_equals_foolbox(
    model: str, name: str, peer: str, order: float, numpy_1, monkeypatch
) -> None:
    """Until the first success ours goes 1e-5 further, so that a pixel may differ by a little."""
    foolbox_with_balls(monkeypatch)
    theirs = by_foolbox(peer, model, steps=100)
    adversarial = ours(name, model, fmn_steps=100)
    found = fooled(model, theirs)
    assert found.all() and np.array_equal(fooled(model, adversarial), found)
    np.testing.assert_allclose(
        norms(adversarial, order), norms(theirs, order), rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(adversarial, theirs, rtol=0, atol=0.01)


@every_model
def test_ddn_equals_foolbox(model: str, numpy_1) -> None:
    """Foolbox does not round; neither does ours to speak of, with as many levels."""
    theirs = by_foolbox("DDNAttack", model, steps=100, init_epsilon=1.0, gamma=0.05)
    adversarial = ours("ddn", model, ddn_steps=100, ddn_levels=65_536)
    found = fooled(model, theirs)
    assert found.all() and np.array_equal(fooled(model, adversarial), found)
    np.testing.assert_allclose(norms(adversarial), norms(theirs), rtol=5e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "loss"), [("apgd_ce", "cross_entropy"), ("apgd_dlr", "difference_logits_ratio")]
)
@pytest.mark.parametrize(("suffix", "norm", "epsilon"), [("", np.inf, 0.15), ("_l2", 2, 0.5)])
def test_apgd_is_as_strong_as_art(
    name: str, loss: str, suffix: str, norm: float, epsilon: float, by_art
) -> None:
    """Random starts differ, so one image in a dozen may."""
    theirs = by_art(
        "AutoProjectedGradientDescent",
        "dense",
        norm=norm,
        eps=epsilon,
        eps_step=2 * epsilon,
        max_iter=15,
        nb_random_init=1,
        loss_type=loss,
    )
    adversarial = ours(name + suffix, "dense", epsilon, apgd_steps=15, apgd_restarts=1)
    assert 1 < fooled("dense", theirs).sum() <= fooled("dense", adversarial).sum() + 1


@every_model
@pytest.mark.parametrize("epsilon", [0.3, 0.8])
def test_steps_in_l2_equal_foolbox(model: str, epsilon: float) -> None:
    """Without a random start, which PGD has."""
    theirs = by_foolbox("L2PGD", model, epsilon, steps=6, rel_stepsize=0.25, random_start=False)
    loop = _projected_ascent(logits(model), LOSSES["cross_entropy"], L2, (0.0, 1.0))
    images, labels = tf.constant(IMAGES), tf.constant(LABELS)
    found = np.asarray(loop(images, labels, images, epsilon, 0.25, 6))
    np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-5)


@every_model
@pytest.mark.parametrize("epsilon", [0.35, 0.5])
def test_attacks_in_l2_are_as_strong_as_foolbox(model: str, epsilon: float) -> None:
    """Starts differ, so one image in a dozen may: a random one lies far out, on the wrong side."""
    theirs = by_foolbox("L2PGD", model, epsilon, steps=20, rel_stepsize=0.125, random_start=False)
    for name in ("pgd_l2", "apgd_ce_l2", "apgd_t_l2"):
        options = {"steps": 20, "rel_step": 0.125, "restarts": 3, "apgd_steps": 20}
        adversarial = ours(name, model, epsilon, **options)
        missed = fooled(model, theirs) & ~fooled(model, adversarial)
        assert missed.sum() <= 1, name
        assert norms(adversarial).max() <= epsilon + 1e-6


@every_model
@pytest.mark.parametrize("name", ["apgd_t", "multi_targeted"])
def test_targets_in_turn_are_as_strong_as_those_of_art(name: str, model: str, by_art) -> None:
    """ART knows no targeted DLR: its APGD descends the cross entropy of each wrong class."""
    theirs = np.zeros(N, bool)
    for ahead in range(1, N_CLASSES):
        adversarial = by_art(
            "AutoProjectedGradientDescent",
            model,
            labels=(LABELS + ahead) % N_CLASSES,
            eps=0.15,
            eps_step=0.3,
            max_iter=15,
            nb_random_init=1,
            loss_type="cross_entropy",
            targeted=True,
        )
        theirs |= fooled(model, adversarial)
    options = {"apgd_steps": 15, "apgd_restarts": 1, "steps": 15, "rel_step": 0.2, "restarts": 1}
    adversarial = ours(name, model, 0.15, **options)
    # Random starts differ, so one image in a dozen may.
    assert 1 < theirs.sum() <= fooled(model, adversarial).sum() + 1


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_hop_skip_jump_is_as_near_as_foolbox(norm: str, numpy_1) -> None:
    """Where a start leads to another class's part of the boundary, an image ends farther away.

    So medians differ by a few per cent from seed to seed: three of ours against three of theirs.
    """
    import foolbox

    right, asked, compiled = slice(1, None), 0, tf.function(plain("dense"))

    def seen(images: Any) -> Any:
        nonlocal asked
        asked += len(images)
        return compiled(images)

    images, labels = IMAGES[right], LABELS[right]
    attacked = foolbox.TensorFlowModel(seen, bounds=(0, 1), device="/CPU:0")
    peer = foolbox.attacks.HopSkipJumpAttack(steps=8, constraint=norm)
    our_attack = attack(f"hop_skip_jump_{norm}", hop_skip_jump_steps=8, hop_skip_jump_queries=5000)
    ours, theirs, queries = [], [], 0.0
    for seed in range(3):
        tf.random.set_seed(seed)
        given = tf.constant(images), tf.constant(labels)
        theirs.append(np.asarray(peer(attacked, *given, epsilons=None)[0]))
        (result,) = our_attack(logits("dense"), images, labels, epsilons=[EVERYTHING], seed=seed)
        ours.append(result.adversarial)
        queries += result.queries
    assert queries <= asked / len(images)
    order = 2 if norm == "l2" else np.inf
    our_norm, their_norm = (
        np.median(np.linalg.norm((np.stack(some) - images).reshape(3 * len(images), -1), order, 1))
        for some in (ours, theirs)
    )
    assert 0 < our_norm <= 1.05 * their_norm


@pytest.fixture
def exact_intervals(monkeypatch) -> None:
    """Stand in for the one function of statsmodels, a package that is not here, that ART calls."""

    def bounds(hits: float, n: int, alpha: float, method: str) -> tuple[float, float]:
        interval = binomtest(int(hits), n).proportion_ci(1 - alpha, "exact")
        return interval.low, interval.high

    for name in ("statsmodels", "statsmodels.stats", "statsmodels.stats.proportion"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(proportion_confint=bounds))


@pytest.mark.parametrize("model", ["smoothing", "denoised_smoothing"])
def test_certified_radii_are_those_of_art(model: str, art, exact_intervals) -> None:
    """Draws differ, so the bounds may by five standard errors of a difference of two shares."""
    import art.estimators.certification.randomized_smoothing as smoothing

    smoothed, n = defended(model), 5000
    peer = smoothing.TensorFlowV2RandomizedSmoothing(
        smoothed.behind,
        nb_classes=N_CLASSES,
        input_shape=SHAPE,
        sample_size=100,
        scale=smoothed.sigma,
        alpha=0.001,
    )
    np.random.seed(0)
    classes, theirs = peer.certify(IMAGES, n=n, batch_size=n)
    draws = {"n0": 100, "n": n, "alpha": 0.001}
    found = [certified_radius(smoothed, x[None], i, **draws) for i, x in enumerate(IMAGES)]
    ours = np.array([radius for _, radius in found])
    assert (theirs > 0).sum() > N / 2
    assert all(c == k or not r for c, (k, r) in zip(classes, found, strict=True))
    one, other = (norm.cdf(radii / smoothed.sigma) for radii in (ours, theirs))
    error = 5 * np.sqrt(2 * other * (1 - other) / n)
    assert (np.abs(one - other) <= error).all()


@pytest.fixture(scope="module")
def golden_model() -> keras.Model:
    """Build the network of `golden_foolbox1`."""
    (first, first_bias), (last, last_bias) = golden_foolbox1.layers()
    image = keras.Input(golden_foolbox1.SHAPE)
    hidden = keras.layers.Dense(first.shape[1], "relu")(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Dense(last.shape[1])(hidden))
    model.set_weights([first, first_bias, last, last_bias])
    return model


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("name", ["deepfool_l2", "deepfool_linf", "single_pixel", "local_search"])
def test_golden_foolbox1(name: str, norm: str, golden_model: keras.Model) -> None:
    """The norm of each change is one of those that foolbox 1.8 found, 0 if it was fooled before.

    The random attacks were run with so many seeds that these are all that there are.
    """
    options: dict[str, Any] = {
        "deepfool_variant": "foolbox1",
        "deepfool_steps": 50,
        "max_pixels": 1000,
        "local_search_rounds": 8,
        "local_search_selection": "lowest",
    }
    images, labels = data = golden_foolbox1.images()
    adversarial = run(attack(name, **options), logits_of(golden_model), EVERYTHING, data=data)
    success = np.argmax(golden_model(adversarial), axis=1) != labels
    changes = (adversarial - images).reshape(len(images), -1)
    norms = np.linalg.norm(changes, axis=1, ord={"l2": 2, "linf": np.inf}[norm])
    for found, hit, known in zip(norms, success, _golden(name, norm), strict=True):
        assert (None in known) if not hit else np.isclose(found, _numbers(known), atol=1e-5).any()


def _golden(name: str, norm: str) -> list[list[float | None]]:
    return [image[norm] for image in json.loads(golden_foolbox1.GOLDEN.read_text())[name]]


def _numbers(norms: list[float | None]) -> list[float]:
    return [norm for norm in norms if norm is not None]
