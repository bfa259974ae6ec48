"""Defences that draw at test time: mean logits, majority votes, EOT, and a run from end to end."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
from models import SHAPE, N, attack, blobs, classifier, ignore, run, train_autoencoder
from stored import load_arrays

from gauntlet.attacks.threat_models import Scenario, logits_of
from gauntlet.autoencoders.layers import TrainingNoise
from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.cells.plan import plan_cells
from gauntlet.config.training import AutoencoderConfig
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.defences.stochastic import StochasticModel, majority
from gauntlet.entry_points import attack as attack_step
from gauntlet.evaluation.statistics import standard_error
from gauntlet.training.keras_loops import predict

CLASSIFIER = "dense"


@cache
def variational() -> keras.Model:
    """Return a trained autoencoder with a latent that is drawn."""
    config = AutoencoderConfig(
        preset="smoke",
        autoencoder="variational",
        epochs=10,
        batch_size=12,
        learning_rate=0.01,
        widths=(12, 8),
        latent=4,
        activation="tanh",
        pre_output_activation="tanh",
        output_activation="sigmoid",
        loss="mean_squared_error",
    )
    return train_autoencoder(config, blobs(60, seed=1)[0], ignore)


@cache
def noisy(stddev: float = 0.3) -> keras.Model:
    """Return an autoencoder that is nothing but noise."""
    image = keras.Input(SHAPE)
    return keras.Model(image, TrainingNoise(stddev, 0)(image))


@cache
def model(samples: int = 4, judge_draws: int = 9, seed: int = 5) -> StochasticModel:
    return StochasticModel(
        classifier(CLASSIFIER), noisy(), samples=samples, judge_draws=judge_draws, seed=seed
    )


# --- votes ---


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([[2], [1], [1]], 1),
        ([[2], [1]], 1),
        ([[0], [2], [2], [0]], 0),
        ([[7]], 7),
        ([[-1], [3]], -1),
    ],
)
def test_majority_of_equals_is_the_lowest(votes: list, expected: int) -> None:
    assert majority(np.array(votes)).tolist() == [expected]


def test_standard_error_of_draws() -> None:
    correct = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)  # accuracies 1 and 1/2
    assert standard_error(correct) == pytest.approx(np.std([1, 0.5], ddof=1) / np.sqrt(2))


def test_prediction_is_the_majority_of_fresh_draws() -> None:
    votes = model().votes(blobs(N)[0])
    assert votes.shape == (9, N) and (votes != votes[0]).any()
    assert np.array_equal(model().predict(blobs(N)[0]), majority(votes))


def test_same_judge_same_votes_whatever_came_between() -> None:
    votes = model().votes(blobs(N)[0])
    run(attack("bim"), logits_of(model().graph), 0.1)
    assert np.array_equal(model().votes(blobs(N)[0]), votes)
    other = StochasticModel(classifier(CLASSIFIER), noisy(), samples=4, judge_draws=9, seed=6)
    assert not np.array_equal(other.votes(blobs(N)[0]), votes)


def test_defence_without_draws_votes_once() -> None:
    plain = DefendedModel(classifier(CLASSIFIER))
    assert np.array_equal(plain.votes(blobs(N)[0]), [plain.predict(blobs(N)[0])])


# --- logits ---


def test_logits_are_the_mean_of_independent_draws() -> None:
    images = np.repeat(blobs(N)[0][:1], 2000, axis=0)
    model().restart(1)
    four = model().logits(images)
    model().restart(2)
    one = predict(model()._one_draw, images)
    # Means of 2000, to four standard errors; a mean of four draws has a quarter of the variance.
    error = 4 * one.std(axis=0) / np.sqrt(2000)
    assert (np.abs(four.mean(axis=0) - one.mean(axis=0)) < 1.2 * error).all()
    np.testing.assert_allclose(four.var(axis=0), one.var(axis=0) / 4, rtol=0.25)


def test_every_image_has_draws_of_its_own() -> None:
    images = np.repeat(blobs(N)[0][:1], 3, axis=0)
    logits = model().logits(images)
    assert not np.array_equal(logits[0], logits[1])


def test_without_noise_it_is_the_defence_itself() -> None:
    still = StochasticModel(classifier(CLASSIFIER), noisy(0.0), samples=3, judge_draws=5, seed=0)
    plain = DefendedModel(classifier(CLASSIFIER), noisy(0.0))
    images = blobs(N)[0]
    np.testing.assert_allclose(still.logits(images), plain.logits(images), atol=1e-5)
    assert np.array_equal(still.predict(images), plain.predict(images))


def test_classifier_stays_in_inference_mode() -> None:
    image = keras.Input(SHAPE)
    dropped = keras.Model(image, keras.layers.Dropout(0.9)(keras.layers.Flatten()(image)))
    still = StochasticModel(dropped, noisy(0.0), samples=3, judge_draws=5, seed=0)
    np.testing.assert_allclose(still.logits(blobs(N)[0]), blobs(N)[0].reshape(N, -1), atol=1e-6)


def test_latent_of_a_variational_autoencoder_is_drawn() -> None:
    drawn = StochasticModel(
        classifier(CLASSIFIER), variational(), samples=1, judge_draws=20, seed=0
    )
    assert (drawn.votes(blobs(N)[0]) != drawn.votes(blobs(N)[0])[0]).any()
    # The deterministic path, z = mean, is as it was.
    plain = DefendedModel(classifier(CLASSIFIER), variational())
    assert np.array_equal(plain.logits(blobs(N)[0]), plain.logits(blobs(N)[0]))


# --- attacks ---


@pytest.mark.parametrize("name", ["bim", "pgd", "apgd_ce", "square", "cw_l2"])
def test_same_seed_same_images(name: str) -> None:
    found = []
    for _ in range(2):
        model().restart(3)
        found.append(run(attack(name), logits_of(model().graph), 0.1, seed=7, batch_size=5))
    assert np.array_equal(*found)


def test_other_draws_other_images() -> None:
    found = []
    for seed in (1, 2):
        model().restart(seed)
        found.append(run(attack("fgsm"), logits_of(model().graph), 0.1))
    assert not np.array_equal(*found)


def test_eot_succeeds_at_least_as_often_as_one_draw() -> None:
    labels = blobs(N)[1]
    bim = attack("bim", steps=10, rel_step=0.25)
    hits = []
    for samples in (1, 30):
        judged = StochasticModel(
            classifier(CLASSIFIER), noisy(0.5), samples=samples, judge_draws=101, seed=0
        )
        judged.restart(1)
        adversarial = run(bim, logits_of(judged.graph), 0.15)
        hits.append((judged.predict(adversarial) != labels).sum())
    assert hits[1] >= hits[0] and hits[1] > 0


@pytest.mark.parametrize(
    ("threat_model", "samples", "judges"),
    [("white_box", 4, 9), ("gray_box", 1, 9), ("encoded", 1, 1)],
)
def test_threat_models_know_who_draws(threat_model: str, samples: int, judges: int) -> None:
    scenario = Scenario(THREAT_MODELS[threat_model], model())
    assert scenario.samples == samples
    assert scenario.votes(blobs(N)[0]).shape == (judges, N)


def test_encoded_starts_at_the_deterministic_reconstruction() -> None:
    scenario = Scenario(THREAT_MODELS["encoded"], model())
    assert np.array_equal(scenario.starts(blobs(N)[0]), blobs(N)[0])  # noise alone, and none drawn


# --- end to end ---

STOCHASTIC = {
    "autoencoder": "variational",
    "latent": "4",
    "stochastic": "true",
    "eot_samples": "3",
    "judge_draws": "7",
    "defence": "reformer",
    "threat_models": "white_box,encoded",
    "attacks": "fgsm",
}


@pytest.mark.slow
def test_run_from_end_to_end(store, tiny) -> None:
    (white, encoded) = attack_step.run(tiny("attack", **STOCHASTIC)).rows
    metrics = [store.get_run(row.cells[0].run_id).data.metrics for row in (white, encoded)]
    assert 0 < metrics[0]["adv/accuracy_se"] < 0.2 and 0 < metrics[0]["clean/accuracy_se"] < 0.2
    assert metrics[0]["attack/gradient_calls"] == 3 and metrics[1]["attack/gradient_calls"] == 1
    assert not any(name.endswith("_se") for name in metrics[1])
    stored = load_arrays(white.cells[0].run_id, "examples.npz")
    assert np.array_equal(stored["attacked"][0], stored["clean"])  # budget 0, the same draws


def test_draws_are_part_of_every_cell_of_a_defence_that_draws(tiny) -> None:
    drawn, still = (tiny("attack", **STOCHASTIC | {"stochastic": s}) for s in ("true", "false"))
    white, encoded = plan_cells(drawn)
    as_before = plan_cells(still)
    more = {"stochastic": True, "eot_samples": 3, "judge_draws": 7}
    assert white.settings == as_before[0].settings | more
    assert encoded.settings == as_before[1].settings | more
