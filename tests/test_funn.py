"""FUNN's game: the loss by hand, what is frozen, which reading of equation 8 does what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import SHAPE, blobs, ignore, train_autoencoder
from stored import examination_of

from gauntlet.autoencoders.attacker import Attacker, game_metrics
from gauntlet.autoencoders.encoder import reconstruct
from gauntlet.autoencoders.game import Game, Rules
from gauntlet.config.training import AutoencoderConfig
from gauntlet.data.registry import load
from gauntlet.entry_points import autoencoder
from gauntlet.errors import DivergenceError
from gauntlet.examination.funn import examine
from gauntlet.pipeline.inputs import load_data
from gauntlet.training.keras_loops import EpochReport, predict
from gauntlet.training.runtime import start_from

IMAGES = blobs(36)[0]
ROWS = tf.range(12)
NOISE = (5, 0)


def _config(**changes) -> AutoencoderConfig:
    tiny = {
        "autoencoder": "funn",
        "preset": "smoke",
        "filters": (4,),
        "features": 3,
        "attacker_noise": 2,
        "batch_size": 12,
        "epochs": 4,
        "init_epochs": 2,
    }
    rates = dict.fromkeys(
        ("defender_init_rate", "attacker_init_rate", "defender_rate", "attacker_rate"), 0.01
    )
    return AutoencoderConfig(**{**tiny, **rates, **changes})


def _game(**changes) -> Game:
    start_from(1)
    training = _config(**changes).autoencoder()
    schedule = ("epochs", "init_epochs", "batch_size", "validation_size")
    rules = {k: v for k, v in training.training_arguments.items() if k not in schedule}
    return Game(training, SHAPE, Rules(**rules))


def train_funn(
    config: AutoencoderConfig, images: np.ndarray, report: EpochReport
) -> tuple[keras.Model, Attacker]:
    """Return defender and attacker, trained."""
    outcome = config.autoencoder().run(images, report)
    return outcome.model, Attacker.of(outcome.others)


@cache
def _trained(**changes) -> tuple[keras.Model, Attacker, list[dict[str, float]]]:
    history: list[dict[str, float]] = []
    config = _config(**changes)
    defender, attacker = train_funn(config, IMAGES, lambda _, metrics: history.append(metrics))
    return defender, attacker, history


def _weights(*models: keras.Model) -> list[np.ndarray]:
    return [weight for model in models for weight in model.get_weights()]


def _same(one: list[np.ndarray], two: list[np.ndarray]) -> list[bool]:
    return [np.array_equal(a, b) for a, b in zip(one, two, strict=True)]


# --- the loss ---


@pytest.fixture
def eagerly() -> Iterator[None]:
    """One step takes a tenth of the time that its compilation takes."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    ("constraint", "hinges"), [("at_least", [0.006, 0.0]), ("as_printed", [0.0, 0.02])]
)
def test_hinge_by_hand(constraint: str, hinges: list[float]) -> None:
    game = _game(beta=0.01, constraint=constraint)
    received = [float(game.hinge(tf.constant(error))) for error in (0.004, 0.03)]
    assert received == pytest.approx(hinges, rel=1e-5)


@pytest.mark.parametrize(("beta", "active"), [(0.2, 1.0), (0.01, 0.0)])
def test_metrics_of_grey_players_by_hand(eagerly, beta: float, active: float) -> None:
    game = _game(beta=beta)
    for model in (game.defender, *game.attacker):
        model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    x = IMAGES[:12]
    metrics = game.step(IMAGES)(ROWS, NOISE)
    # Without weights both players say 0.5 everywhere, whatever they see.
    error = np.square(x - 0.5).mean()
    norm = np.sqrt(np.square(x - 0.5).sum(axis=(1, 2, 3))).mean()
    expected = {
        "attacker_distortion": error,
        "attacker_distortion_l2": norm,
        "defender_error": error,
        "defender_error_l2": norm,
        "near_constant": 1,
        "hinge_active": active,
    }
    assert {k: float(v) for k, v in metrics.items()} == pytest.approx(expected, rel=1e-5)


def _gradients(game: Game, error_term: Callable[[Any], Any]) -> list[np.ndarray]:
    """Return the gradient by the attacker's generator of its distortion and a term of E."""
    x = tf.constant(IMAGES[:12])
    noise = tf.random.stateless_uniform((2, 12, 2), NOISE)[0]
    code = tf.concat([game.attacker.encoder(x), noise], axis=1)
    with tf.GradientTape() as tape:
        attacked = game.attacker.generator(code)
        error = tf.reduce_mean((game.defender(attacked) - x) ** 2)
        loss = tf.reduce_mean((attacked - x) ** 2) + error_term(error)
    weights = [w.value for w in game.attacker.generator.trainable_weights]
    return [g.numpy() for g in tape.gradient(loss, weights)]


@pytest.mark.parametrize(
    ("constraint", "beta", "error_term"),
    [
        ("at_least", 0.9, lambda error: 5 * (0.9 - error)),
        ("at_least", 1e-6, lambda _: 0.0),  # satisfied: no gradient of the constraint
        ("as_printed", 0.9, lambda _: 0.0),
        ("as_printed", 1e-6, lambda error: 5 * (error - 1e-6)),
    ],
)
def test_attacker_steps_down_equation_8(eagerly, constraint: str, beta: float, error_term) -> None:
    game = _game(constraint=constraint, beta=beta, attacker_rate=1e-3)
    before, gradients = _weights(game.attacker.generator), _gradients(game, error_term)
    game.step(IMAGES)(ROWS, NOISE)
    for old, new, g in zip(before, _weights(game.attacker.generator), gradients, strict=True):
        # Adam's first step is the rate times g / (|g| + 1e-7 / sqrt(1 - 0.999)).
        np.testing.assert_allclose(new - old, -1e-3 * g / (np.abs(g) + 3.2e-6), atol=2e-5)


def test_each_player_draws_noise_of_its_own() -> None:
    first, second = _game()._draw(ROWS, NOISE)
    assert first.shape == second.shape == (12, 2)
    assert not np.intersect1d(first, second).size
    assert tf.reduce_min(first) >= 0 and tf.reduce_max(first) < 1


# --- the phases ---


def test_frozen_parts_are_frozen_and_the_others_learn() -> None:
    initial, final = _trained(epochs=2), _trained(epochs=4)
    assert all(_same(_weights(initial[1].encoder), _weights(final[1].encoder)))
    assert not any(_same(_weights(initial[1].generator), _weights(final[1].generator)))
    # Convolution and code before, dense and transposed convolution behind; kernel and bias each.
    assert _same(_weights(initial[0]), _weights(final[0])) == [False] * 4 + [True] * 4


def test_defender_begins_as_the_classic_control() -> None:
    control = _config(
        autoencoder="convolutional", epochs=2, learning_rate=0.01, loss="mean_squared_error"
    )
    expected = train_autoencoder(control, IMAGES, ignore).get_weights()
    for ours, theirs in zip(_weights(_trained(epochs=2)[0]), expected, strict=True):
        # The same batches; Keras's mean is of the images' means, ours of all pixels.
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


BOTH = {"train/attacker_distortion", "train/attacker_distortion_l2", "train/near_constant"}
FIRST = BOTH | {"train/reconstruction"}
SECOND = BOTH | {"train/defender_error", "train/defender_error_l2", "train/hinge_active"}


def test_each_phase_reports_its_metrics() -> None:
    assert [set(metrics) for metrics in _trained()[2]] == [FIRST, FIRST, SECOND, SECOND]


def test_second_phase_may_be_missing() -> None:
    assert [set(metrics) for metrics in _trained(epochs=2)[2]] == [FIRST, FIRST]


def test_held_out_images_are_measured_and_not_learned() -> None:
    history: list[dict[str, float]] = []
    report, short = lambda _, metrics: history.append(metrics), {"epochs": 1, "init_epochs": 1}
    held_out = np.concatenate([IMAGES[:24], np.ones_like(IMAGES[24:])])
    defender, attacker = train_funn(_config(**short, validation_size=12), held_out, report)
    same = train_funn(_config(**short), IMAGES[:24], ignore)
    assert all(_same(_weights(defender, *attacker), _weights(same[0], *same[1])))
    names = {
        "reconstruction",
        "attacker_distortion",
        "attacker_distortion_l2",
        "near_constant",
        "defender_error",
        "defender_error_l2",
    }
    assert {name for name in history[-1] if name.startswith("val/")} == {f"val/{n}" for n in names}
    error = np.square(1 - reconstruct(defender, held_out[24:])).mean()
    assert history[-1]["val/reconstruction"] == pytest.approx(error, rel=1e-5)


# --- the two readings of equation 8 ---

BETA = 0.04
LONG = {
    "epochs": 120,
    "init_epochs": 80,
    "beta": BETA,
    "gamma": 20.0,
    "batch_size": 50,
    "filters": (8,),
    "features": 16,
    "attacker_rate": 0.003,
    "defender_rate": 0.001,
}


@cache
def _settled(constraint: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the metrics at the ends of both phases, on a hundred digits."""
    history: list[dict[str, float]] = []
    digits = load("digits").x_train[:100]
    config = _config(**LONG, constraint=constraint)
    train_funn(config, digits, lambda _, metrics: history.append(metrics))
    return history[LONG["init_epochs"] - 1], history[-1]


@pytest.mark.slow  # seconds of training
def test_at_least_drives_the_error_up_to_beta() -> None:
    first, last = _settled("at_least")
    assert 2 * first["train/reconstruction"] < BETA < last["train/defender_error"] < 1.4 * BETA
    assert last["train/attacker_distortion"] > 2 * first["train/attacker_distortion"]


@pytest.mark.slow  # seconds of training
def test_as_printed_collapses_to_the_identity() -> None:
    first, last = _settled("as_printed")
    # Copying ever better is all that the attacker does, and nothing is left to defend against.
    assert last["train/attacker_distortion"] < first["train/attacker_distortion"]
    assert last["train/hinge_active"] == 0
    assert last["train/defender_error"] < BETA / 2


# --- the rest of the contract ---


def test_other_seed_other_weights() -> None:
    other = train_funn(_config(seed=1, epochs=2), IMAGES, ignore)
    one, two = _trained(epochs=2), (other[0], other[1])
    kernels = [[w for w in _weights(d, *a) if w.ndim > 1] for d, a in (one[:2], two)]
    assert not any(_same(*kernels))


def test_attack_follows_its_seed() -> None:
    attacker = _trained()[1]
    one, again, other = (attacker.attack(IMAGES, seed) for seed in (1, 1, 2))
    assert one.shape == IMAGES.shape and one.min() >= 0 and one.max() <= 1
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_train_autoencoder_returns_the_defender_with_the_same_bits() -> None:
    model = train_autoencoder(_config(epochs=2), IMAGES, ignore)
    assert all(_same(model.get_weights(), _weights(_trained(epochs=2)[0])))


def test_loss_is_the_squared_error_whatever_is_asked_for() -> None:
    training = _config(loss="categorical_crossentropy").autoencoder()
    defender, attacker, _ = _trained()
    models = {"model": defender, **attacker.models}
    metrics = dict(examine(training, models, IMAGES, np.zeros(len(IMAGES), np.int64)).metrics)
    assert metrics["test/loss"] == pytest.approx(metrics["test/mean_squared_error"], rel=1e-5)


def test_game_metrics_by_hand() -> None:
    images = np.zeros((2, 2, 1, 1), np.float32)
    attacked = np.array([[0.6, 0.8], [0.5, 0.5]], np.float32).reshape(images.shape)
    restored = np.array([[0, 1], [0, 0]], np.float32).reshape(images.shape)
    assert dict(game_metrics("test", images, attacked, restored)) == pytest.approx(
        {
            "test/attacker_distortion": (0.36 + 0.64 + 0.25 + 0.25) / 4,
            "test/attacker_distortion_l2": (1 + np.sqrt(0.5)) / 2,
            "test/near_constant": 0.5,  # variances 0.01 and 0
            "test/defender_error": 0.25,
            "test/defender_error_l2": 0.5,
        },
        rel=1e-6,
    )


# Keras 3.15 on NumPy 2, in Keras's own saving.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_stored_defender_gives_the_same_output_without_code_of_the_project(tmp_path) -> None:
    model = _trained()[0]
    assert "gauntlet" not in model.to_json()
    model.save(tmp_path / "model.keras")
    restored = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(predict(restored, IMAGES), predict(model, IMAGES))


def test_divergence_names_the_rates(eagerly) -> None:
    reported: list[float] = []
    report = lambda _, metrics: reported.append(metrics["train/reconstruction"])  # noqa: E731
    images = IMAGES.copy()
    images[0] = np.nan
    with pytest.raises(DivergenceError, match=r"in epoch 1: train/reconstruction is nan\.") as e:
        train_funn(_config(), images, report)
    assert "--defender_init_rate to --attacker_rate." in str(e.value) and len(reported) == 1


def test_run_keeps_the_defender_and_measures_the_game(store, tiny) -> None:
    config = tiny("autoencoder", autoencoder="funn", filters="4", features="4", init_epochs="2")
    trained = autoencoder.run(config)
    training = store.get_run(trained.stored.run_id)
    examination = examination_of(store, training.info.run_id)
    metrics = training.data.metrics | examination.data.metrics
    images = load_data(config).with_all_test_images.x_test
    output = reconstruct(trained.load(), images)
    assert metrics["test/loss"] == pytest.approx(np.square(images - output).mean(), rel=1e-5)
    names = {
        "attacker_distortion",
        "attacker_distortion_l2",
        "near_constant",
        "defender_error",
        "defender_error_l2",
    }
    assert {f"test/{name}" for name in names} <= set(metrics)
    for name in ("attacker_distortion", "defender_error"):
        assert metrics[f"test/{name}"] == pytest.approx(metrics[f"train/{name}"], rel=0.5)
    files = {
        file.path
        for run in (training, examination)
        for file in store.list_artifacts(run.info.run_id)
    }
    assert {"images.png", "learning_curve.png"} <= files
