"""Smoothed defences: training with noise, the noise of a draw, and who may attack them."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
from models import SHAPE, N, affine, autoencoder, blobs, classifier, ignore, train_classifier
from servers import tracking_to
from stored import load_arrays
from test_stochastic import noisy
from vocabulary import unnamed

from gauntlet.attacks.threat_models import Scenario
from gauntlet.catalogue.classifiers import CLASSIFIERS
from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.cells.plan import plan_cells
from gauntlet.config.attack import AttackConfig
from gauntlet.config.command_line import parse
from gauntlet.config.training import ClassifierConfig
from gauntlet.data.registry import load
from gauntlet.defences.defended_model import DefendedModel, Parts
from gauntlet.defences.smoothing import SmoothedModel, build
from gauntlet.entry_points import attack as attack_step
from gauntlet.errors import UsageError
from gauntlet.training.keras_loops import predict

PIXELS = int(np.prod(SHAPE))
MEAN = affine(np.full((PIXELS, 1), 1 / PIXELS), [0.0])
"""Its one logit is the mean of the pixels."""


def smoothed(*autoencoders: keras.Model, base: keras.Model = MEAN, **changes) -> SmoothedModel:
    parts = Parts(base, autoencoders, None, 5)
    given = {"sigma": 0.25, "samples": 4, "judge_draws": 9} | changes
    return build(parts, **given)


# --- the noise of a draw ---


def _mean_of_dark(model: SmoothedModel) -> tuple[float, float]:
    """Return the mean logit of a black image over 4,000 draws, and four standard errors."""
    model.restart(1)
    logits = model.logits(np.zeros((1000, *SHAPE), np.float32))
    return float(logits.mean()), 4 * float(logits.std()) / np.sqrt(len(logits))


def test_noise_has_its_deviation_and_is_not_clipped() -> None:
    mean, error = _mean_of_dark(smoothed())
    assert abs(mean) < error
    assert error == pytest.approx(4 * 0.25 / np.sqrt(4 * PIXELS * 1000), rel=0.15)


def test_denoiser_sees_pixels_in_their_range() -> None:
    identity = affine(np.eye(PIXELS), [0.0] * PIXELS, SHAPE)
    mean, error = _mean_of_dark(smoothed(identity))
    # The mean of max(e, 0) for e from N(0, sigma^2); 1 is four deviations away.
    assert abs(mean - 0.25 / np.sqrt(2 * np.pi)) < error


def test_denoiser_draws_nothing_itself() -> None:
    still = smoothed(noisy(0.3), sigma=1e-9)
    plain = DefendedModel(MEAN, noisy(0.3))
    np.testing.assert_allclose(still.logits(blobs(N)[0]), plain.logits(blobs(N)[0]), atol=1e-6)


def test_votes_are_those_of_the_seed() -> None:
    model = smoothed(autoencoder(), base=classifier("dense"))
    votes = model.votes(blobs(N)[0])
    model.logits(blobs(N)[0])
    assert np.array_equal(model.votes(blobs(N)[0]), votes)
    assert (votes != votes[0]).any()


# --- a classifier that learns with noise ---


def _config(kind: str = "dense", **changes) -> ClassifierConfig:
    tiny = {
        "preset": "smoke",
        "classifier": kind,
        "train_on": "noisy",
        "widths": (12,),
        "classifier_epochs": 4,
        "classifier_batch_size": 12,
        "classifier_rate": 0.02,
    }
    return ClassifierConfig(**tiny | changes)


def _train(config: ClassifierConfig, report=ignore) -> keras.Model:
    return train_classifier(config, *blobs(60, seed=1), 3, report)


@cache
def _trained(kind: str) -> keras.Model:
    return _train(_config(kind))


KINDS = [entry.typed for entry in CLASSIFIERS.values() if "noisy" in entry.inputs]


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_weights_bit_for_bit(kind: str) -> None:
    first, again = _trained(kind).get_weights(), _train(_config(kind)).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_noise_decides_the_weights() -> None:
    weights = _trained("dense").get_weights()[0]
    for other in ({"smoothing_sigma": 0.26}, {"train_on": "raw"}, {"seed": 1}):
        assert not np.array_equal(weights, _train(_config(**other)).get_weights()[0])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_adds_no_noise(kind: str) -> None:
    layers = _trained(kind).layers
    assert not any(isinstance(layer, keras.layers.GaussianNoise) for layer in layers)


def test_every_epoch_has_noise_of_its_own() -> None:
    """With a rate of nearly nothing, all that differs between two epochs is order and noise."""
    losses = []
    for sigma in (1e-9, 1.0):
        config = _config(smoothing_sigma=sigma, classifier_rate=1e-12, classifier_epochs=2)
        metrics: dict[int, float] = {}
        _train(config, lambda epoch, found, into=metrics: into.update({epoch: found["train/loss"]}))
        losses.append(abs(metrics[1] - metrics[2]))
    assert losses[0] < 1e-5 < losses[1]


def test_learning_with_noise_helps_under_noise() -> None:
    """On scikit-learn's digits; the same draws judge both."""
    data, long = load("digits"), {"classifier_epochs": 60, "classifier_batch_size": 64}
    accuracy = {}
    for train_on in ("raw", "noisy"):
        config = ClassifierConfig(preset="smoke", train_on=train_on, smoothing_sigma=0.5, **long)
        images, labels = data.x_train[:1000], data.y_train[:1000]
        base = train_classifier(config, images, labels, 10)
        votes = smoothed(base=base, sigma=0.5, judge_draws=20).votes(data.x_test[:200])
        accuracy[train_on] = (votes == data.y_test[:200]).mean()
    assert accuracy["noisy"] > accuracy["raw"] + 0.05


# --- what may be asked for ---


@pytest.mark.parametrize(
    ("entry_point", "values", "said"),
    [
        ("attack", {"smoothing_sigma": "0"}, "^--smoothing_sigma: expected greater than 0; rec"),
        ("attack", {"smoothing_sigma": "1.1"}, "^--smoothing_sigma: .* less than or equal to 1"),
        (
            "attack",
            {"defence": "smoothing", "classifier": "logistic_regression"},
            "^--classifier: expected dense or convolutional on noisy; received 'logistic_reg",
        ),
        (
            "classifier",
            {"train_on": "noisy", "classifier": "logistic_regression"},
            "^--classifier: expected dense or convolutional on noisy; received 'logistic_reg",
        ),
        (
            "attack",
            {"defence": "denoised_smoothing", "threat_models": "encoded"},
            "^threat_models=encoded makes no sense for defence=denoised_smoothing, which allows",
        ),
    ],
)
def test_refusals(entry_point: str, values: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(entry_point, values)


def test_denoised_smoothing_leaves_any_classifier_as_it_is() -> None:
    config = parse("attack", {"defence": "denoised_smoothing", "classifier": "logistic_regression"})
    assert {cell.parts[:2] for cell in plan_cells(config)} == {("autoencoder", "raw")}


def test_draws_decide_a_cell() -> None:
    config = AttackConfig(defence="smoothing", threat_models="white_box", attacks="fgsm")
    (cell,) = plan_cells(config)
    read = {"smoothing_sigma": 0.25, "eot_samples": 20, "judge_draws": 50}
    assert read.items() <= cell.settings.items() and "stochastic" not in cell.settings


@pytest.mark.parametrize("threat_model", ["white_box", "gray_box"])
def test_who_does_not_know_of_the_noise_follows_the_classifier(threat_model: str) -> None:
    model = smoothed(autoencoder(), base=classifier("dense"))
    scenario = Scenario(THREAT_MODELS[threat_model], model)
    images, labels = blobs(N)
    seen = np.asarray(scenario.logits(images, labels))
    alone = np.array_equal(seen, predict(classifier("dense"), images))
    assert alone == (threat_model == "gray_box") and scenario.samples == (1 if alone else 4)
    assert np.array_equal(scenario.votes(images), model.votes(images))


# --- end to end ---


GIVEN = {
    "defence": "smoothing,denoised_smoothing",
    "threat_models": "white_box,gray_box",
    "attacks": "pgd_l2",
    "l2_epsilons": "0,0.2,2",
    "steps": "3",
    "restarts": "1",
    "eot_samples": "3",
    "judge_draws": "7",
    "certificates": "smoothing",
    "smoothing_n": "150",
}


@pytest.mark.slow
def test_run_from_end_to_end(new_store, tiny, tmp_path) -> None:
    with tracking_to(new_store(), tmp_path) as client:
        summary = attack_step.run(tiny("attack", **GIVEN))
        for row in summary.rows:
            (cell,) = row.cells
            run = client.get_run(cell.run_id)
            calls = run.data.metrics["attack/gradient_calls"]
            assert calls == (9 if row.threat_model == "white_box" else 3), row
            kind = "noisy" if row.defence == "smoothing" else "raw"
            trained = client.get_run(run.data.tags[f"gauntlet.input.{kind}"])
            assert trained.data.params["config/train_on"] == kind
            assert ("config/smoothing_sigma" in trained.data.params) == (kind == "noisy")
            stored = load_arrays(cell.run_id, "examples.npz")
            assert np.array_equal(stored["attacked"][0], stored["clean"])
        for bracket in summary.brackets:
            (found,) = bracket.certified
            radius, abstained = found.findings["radius"], found.findings["abstained"]
            assert np.array_equal(found.proven[1], found.proven[0] & (radius >= 0.2))
            assert not found.proven[2].any()  # no radius of 150 draws is that large
            logged = client.get_run(found.run_id).data.metrics
            assert logged["certified/abstained"] == abstained.mean()
        assert [bracket.defence for bracket in summary.brackets] == GIVEN["defence"].split(",")
        again = attack_step.run(tiny("attack", **GIVEN))
        assert [b.certified[0].run_id for b in again.brackets] == [
            b.certified[0].run_id for b in summary.brackets
        ]
        assert unnamed(client)[1] == []
