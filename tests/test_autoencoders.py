"""One contract for every kind of autoencoder and every loss."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pytest
from keras import ops
from models import SHAPE, blobs, build_autoencoder, ignore, train_autoencoder

from gauntlet.autoencoders.encoder import reconstruct
from gauntlet.autoencoders.layers import CODE, KLSparsity, Sampling, TrainingNoise
from gauntlet.autoencoders.training import ReconstructionLoss, reconstruction_loss
from gauntlet.catalogue.autoencoders import AUTOENCODERS
from gauntlet.catalogue.trainings import Training
from gauntlet.config.training import AutoencoderConfig
from gauntlet.errors import DivergenceError
from gauntlet.examination.autoencoder import output_scale, reconstruction_metrics

KINDS = {
    "vanilla": {},
    "sparse l1": {"autoencoder": "sparse"},
    "sparse kl": {"autoencoder": "sparse", "sparsity_penalty": "kl", "sparsity_weight": 0.01},
    "denoising": {"autoencoder": "denoising", "noise": 0.2},
    "variational": {"autoencoder": "variational"},
}
LOSSES = ("categorical_crossentropy", "mean_squared_error", "binary_crossentropy")
IMAGES = blobs(36)[0]

OTHERS = {
    name: {
        "autoencoder": name,
        "filters": (4,),
        "features": 3,
        "init_epochs": 2,
        "noise": 0.1,
        "validation_size": 0,
    }
    for name in AUTOENCODERS
    if name not in ("vanilla", "sparse", "denoising", "variational")
}
EVERY = {**KINDS, **OTHERS}
"""Every kind of the catalogue keeps the contract; the first paper's share their networks too."""

every_kind = pytest.mark.parametrize("kind", KINDS)
every_loss = pytest.mark.parametrize("loss", LOSSES)
ONE_BY_ONE = [
    *(("vanilla", loss) for loss in LOSSES),
    *((kind, LOSSES[0]) for kind in KINDS if kind != "vanilla"),
]
"""Every loss and every kind of the first paper, not every pair: each is compiled anew."""
learning = pytest.mark.parametrize(("kind", "loss"), ONE_BY_ONE)
contract = pytest.mark.parametrize(
    ("kind", "loss"), [*ONE_BY_ONE, *((kind, "mean_squared_error") for kind in OTHERS)]
)


def _config(kind: str, **changes) -> AutoencoderConfig:
    tiny = {"preset": "smoke", "widths": (6,), "epochs": 4, "batch_size": 12, "learning_rate": 0.01}
    return AutoencoderConfig(**{**tiny, **EVERY[kind], **changes})


def _with_loss(kind: str, loss: str) -> AutoencoderConfig:
    bounded = {} if loss.startswith("cat") else {"output_activation": "sigmoid"}
    return _config(kind, loss=loss, **bounded)


@cache
def _trained(kind: str, loss: str) -> tuple[keras.Model, list[dict[str, float]]]:
    """Return a trained model and what it reported an epoch."""
    history: list[dict[str, float]] = []
    report = lambda _, metrics: history.append(metrics)  # noqa: E731
    return train_autoencoder(_with_loss(kind, loss), IMAGES, report), history


def _loss(config: AutoencoderConfig) -> ReconstructionLoss:
    """Return the loss that a config trains with."""
    given = config.autoencoder().training_arguments
    return reconstruction_loss(given["loss"], given.get("sum_over_pixels", False))


def _weights(config: AutoencoderConfig) -> list[np.ndarray]:
    return train_autoencoder(config, IMAGES, ignore).get_weights()


def _same(one: list[np.ndarray], two: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


# --- architecture ---

DENSE = {  # weights and biases of 784-504-28-28-504-784, by hand
    "784-504": 784 * 504 + 504,
    "504-28": 504 * 28 + 28,
    "28-28": 28 * 28 + 28,
    "28-504": 28 * 504 + 504,
    "504-784": 504 * 784 + 784,
}
PLAIN = sum(DENSE.values())
LATENT = 2 * (28 * 2 + 2) + (2 * 28 + 28)  # mean and log variance; 2-28 instead of 28-28
COUNTS = dict.fromkeys(KINDS, PLAIN) | {"variational": PLAIN - DENSE["28-28"] + LATENT}


@every_kind
def test_parameter_counts_of_the_paper(kind: str) -> None:
    config = AutoencoderConfig(**KINDS[kind])
    model = build_autoencoder(config, (28, 28, 1))
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert trainable == COUNTS[kind]
    assert PLAIN == 821_128


def test_layers_of_the_paper() -> None:
    model = build_autoencoder(AutoencoderConfig(), (28, 28, 1))
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [504, 28, 28, 504, 784]
    activations = [layer.activation.__name__ for layer in dense]
    assert activations == ["relu", "relu", "relu", "exponential", "softplus"]


@every_kind
def test_code_has_the_last_width_or_the_latent_dimension(kind: str) -> None:
    code = build_autoencoder(_config(kind, widths=(8, 4)), SHAPE).get_layer(CODE)
    assert code.output.shape == (None, 2 if kind == "variational" else 4)


def test_kl_code_lies_in_the_unit_interval() -> None:
    code = build_autoencoder(_config("sparse kl"), SHAPE).get_layer(CODE)
    assert code.activation is keras.activations.sigmoid


# --- the contract ---


@contract
def test_output_has_the_shape_of_the_images_and_is_finite(kind: str, loss: str) -> None:
    output = reconstruct(_trained(kind, loss)[0], IMAGES)
    assert (output.shape, output.dtype) == (IMAGES.shape, np.float32)
    assert np.isfinite(output).all()


@learning
def test_training_lowers_the_loss(kind: str, loss: str) -> None:
    history = _trained(kind, loss)[1]
    assert [set(metrics) for metrics in history] == [{"train/loss"}] * 4
    assert history[-1]["train/loss"] < history[0]["train/loss"]


@contract
def test_inference_is_deterministic(kind: str, loss: str) -> None:
    model = _trained(kind, loss)[0]
    assert np.array_equal(reconstruct(model, IMAGES), reconstruct(model, IMAGES))


# Keras 3.15 on NumPy 2, in Keras's own saving.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
@contract
def test_stored_model_gives_the_same_output(kind: str, loss: str, tmp_path) -> None:
    model = _trained(kind, loss)[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(reconstruct(loaded, IMAGES), reconstruct(model, IMAGES))


@pytest.mark.parametrize("kind", ["vanilla", "denoising", "variational"])
def test_same_seed_same_weights_bit_for_bit(kind: str) -> None:
    first = _trained(kind, LOSSES[0])[0].get_weights()
    assert _same(first, _weights(_with_loss(kind, LOSSES[0])))


@pytest.mark.parametrize("kind", ["vanilla", "variational"])
def test_other_seed_other_weights(kind: str) -> None:
    first = _trained(kind, LOSSES[0])[0].get_weights()
    other = _weights(_config(kind, epochs=1, seed=1))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.ndim == 2)


def test_held_out_images_are_reported() -> None:
    names: set[str] = set()
    report = lambda _, metrics: names.update(metrics)  # noqa: E731
    train_autoencoder(_config("vanilla", validation_size=12), IMAGES, report)
    assert names == {"train/loss", "val/loss"}


# --- sparse ---


def test_l1_penalty_adds_the_norm_of_the_code() -> None:
    model = build_autoencoder(_config("sparse l1", sparsity_weight=0.25), SHAPE)
    code = keras.Model(model.input, model.get_layer(CODE).output)(IMAGES)
    model(IMAGES, training=True)
    # Keras divides activity penalties by the batch: the mean L1 norm of a code, in float32.
    expected = 0.25 * np.abs(code).sum() / len(IMAGES)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5) and expected > 0


def test_kl_penalty_by_hand() -> None:
    # Means of the two units: 0.5 and 0.2; rho is 0.2, so the second one costs nothing.
    activations = np.array([[0.4, 0.1], [0.6, 0.3]], np.float32)
    one_unit = 0.2 * math.log(0.2 / 0.5) + 0.8 * math.log(0.8 / 0.5)
    # Times the batch of 2, which Keras divides by afterwards.
    received = float(KLSparsity(weight=3.0, rho=0.2)(activations))
    assert received == pytest.approx(2 * 3.0 * one_unit, rel=1e-5)


def test_kl_penalty_reaches_the_loss_once_a_batch() -> None:
    model = build_autoencoder(_config("sparse kl"), SHAPE)
    code = np.asarray(keras.Model(model.input, model.get_layer(CODE).output)(IMAGES))
    model(IMAGES, training=True)
    mean, rho = code.mean(axis=0), 0.05
    kl = rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))
    assert float(sum(model.losses)) == pytest.approx(0.01 * kl.sum(), rel=1e-4)


def test_kl_penalty_of_dead_and_saturated_units_is_finite() -> None:
    activations = np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    assert math.isfinite(KLSparsity(weight=1.0, rho=0.05)(activations))


# --- variational ---


def test_latent_is_sampled_in_training_only() -> None:
    mean, log_variance = np.zeros((500, 2), np.float32), np.full((500, 2), 2.0, np.float32)
    layer = Sampling(seed=1)
    assert np.array_equal(layer((mean, log_variance)), mean)
    drawn = np.asarray(layer((mean, log_variance), training=True))
    again = np.asarray(layer((mean, log_variance), training=True))
    assert not np.array_equal(drawn, again)
    # Standard deviation exp(2 / 2); 1000 draws scatter by 2.2 % of it, so 4 of those.
    assert drawn.std() == pytest.approx(math.e, rel=0.1)


def test_kl_to_the_prior_by_hand() -> None:
    # First image: mean (1, 2), variances (1, 1): (1 + 4) / 2. Second: mean 0, variances (e, 1).
    mean = np.array([[1, 2], [0, 0]], np.float32)
    log_variance = np.array([[0, 0], [1, 0]], np.float32)
    layer = Sampling(seed=1)
    layer((mean, log_variance), training=True)
    by_hand = (5 / 2 + (math.e - 2) / 2) / 2
    assert [float(loss) for loss in layer.losses] == [pytest.approx(by_hand, rel=1e-6)]


def test_no_kl_outside_training() -> None:
    layer = Sampling(seed=1)
    layer((np.ones((2, 2), np.float32),) * 2)
    assert layer.losses == []


# --- denoising ---


def test_noise_is_added_in_training_only_and_clipped() -> None:
    images = np.full((50, 16), 0.5, np.float32)
    layer = TrainingNoise(stddev=0.5, seed=3)
    assert np.array_equal(layer(images), images)
    noisy = np.asarray(layer(images, training=True))
    assert (noisy.min(), noisy.max()) == (0, 1)
    # One standard deviation from either edge: 31.7 % clipped; 800 draws, 4 standard errors.
    assert np.isin(noisy, (0, 1)).mean() == pytest.approx(0.317, abs=0.066)


def test_published_denoising_autoencoder_has_no_noise() -> None:
    model = build_autoencoder(_config("denoising", noise=0.0), SHAPE)
    assert not any(isinstance(layer, TrainingNoise) for layer in model.layers)


# --- losses and metrics ---


def test_categorical_crossentropy_does_not_see_the_scale() -> None:
    loss = ReconstructionLoss("categorical_crossentropy")
    output = np.random.default_rng(0).uniform(0.01, 1, IMAGES.shape).astype(np.float32)
    # float32 sums over 16 pixels.
    np.testing.assert_allclose(loss.call(IMAGES, output), loss.call(IMAGES, 37 * output), rtol=1e-5)


@pytest.mark.parametrize("kind", ["mean_squared_error", "binary_crossentropy"])
def test_other_losses_see_the_scale(kind: str) -> None:
    loss = ReconstructionLoss(kind)
    one, half = (np.asarray(loss.call(IMAGES, scale * IMAGES)) for scale in (1, 0.5))
    assert (one < half).all()


@pytest.mark.parametrize(
    ("kind", "as_sum", "by_hand"),
    [
        ("mean_squared_error", False, (0.25 + 0 + 0.01 + 0) / 4),
        ("mean_squared_error", True, 0.25 + 0 + 0.01 + 0),
        ("binary_crossentropy", False, -(3 * math.log(0.5) + math.log(0.4)) / 4),
        (
            "categorical_crossentropy",
            False,
            -math.log(0.5 / 1.9) - 0.5 * math.log(0.4 / 1.9) - 0.5 * math.log(0.5 / 1.9),
        ),
    ],
)
def test_loss_by_hand(kind: str, as_sum: bool, by_hand: float) -> None:
    image = np.array([1, 0.5, 0.5, 0.5], np.float32).reshape(1, 2, 2, 1)
    output = np.array([0.5, 0.5, 0.4, 0.5], np.float32).reshape(1, 2, 2, 1)
    if kind == "binary_crossentropy":
        image = np.array([1, 0, 1, 1], np.float32).reshape(1, 2, 2, 1)
    if kind == "categorical_crossentropy":
        image = np.array([1, 0, 0.5, 0.5], np.float32).reshape(1, 2, 2, 1)
    received = np.asarray(ReconstructionLoss(kind, as_sum).call(image, output))
    assert received == pytest.approx([by_hand], rel=1e-5)  # float32


@every_loss
@every_kind
def test_variational_reconstruction_is_a_sum_over_pixels(kind: str, loss: str) -> None:
    as_sum = kind == "variational" and loss != "categorical_crossentropy"
    assert _loss(_with_loss(kind, loss)).as_sum == as_sum


def test_output_scale() -> None:
    scale = dict(output_scale(np.array([[0, 1], [2, 84]], np.float32)))
    assert scale == {"autoencoder/output_mean": 21.75, "autoencoder/output_max": 84}


def test_reconstruction_metrics_by_hand() -> None:
    images = np.array([[1, 0], [1, 1]], np.float32).reshape(2, 2, 1, 1)
    output = np.array([[2, 0], [1, 0]], np.float32).reshape(2, 2, 1, 1)
    config = _config("vanilla", loss="mean_squared_error")
    assert dict(reconstruction_metrics(_loss(config), images, output)) == {
        "test/loss": pytest.approx(0.5),  # images: (1 + 0) / 2 and (0 + 1) / 2
        "test/mean_squared_error": pytest.approx(0.5),
        # The best scales are 1/2 and 1: errors 0 and (0 + 1) / 2.
        "test/mean_squared_error_at_best_scale": pytest.approx(0.25),
    }


def test_best_scale_of_a_black_output_is_finite() -> None:
    metrics = dict(reconstruction_metrics(_loss(_config("vanilla")), IMAGES, np.zeros_like(IMAGES)))
    at_best_scale = metrics["test/mean_squared_error_at_best_scale"]
    assert at_best_scale == pytest.approx(np.square(IMAGES).mean(), rel=1e-5)  # float32 sums


@pytest.mark.parametrize("factor", [0.01, 37.0])
def test_error_at_best_scale_does_not_see_the_scale(factor: float) -> None:
    output = np.roll(IMAGES, 1, axis=0)
    one, other = (
        dict(reconstruction_metrics(_loss(_config("vanilla")), IMAGES, np.float32(scale) * output))
        for scale in (1, factor)
    )
    name = "test/mean_squared_error_at_best_scale"
    assert one[name] == pytest.approx(other[name], rel=1e-5)  # float32 products


# --- divergence ---


def test_diverging_training_ends_with_one_sentence_after_its_report() -> None:
    reported: list[float] = []
    explosive = {"activation": "linear", "output_activation": "exponential", "learning_rate": 10.0}
    config = _config("vanilla", loss="mean_squared_error", epochs=20, **explosive)
    report = lambda _, metrics: reported.append(metrics["train/loss"])  # noqa: E731
    with pytest.raises(DivergenceError, match=r"in epoch \d+: train/loss is (nan|inf)") as e:
        train_autoencoder(config, IMAGES, report)
    assert str(e.value).endswith(
        " Lower --learning_rate or choose a bounded --pre_output_activation."
    )
    assert not math.isfinite(reported[-1]) and len(reported) < 20


def test_advice_against_divergence_names_flags_that_are_read() -> None:
    assert AutoencoderConfig(autoencoder="convolutional").autoencoder().advice == (
        "Lower --learning_rate."
    )
    unrated = replace(AUTOENCODERS["convolutional"], training={})
    assert Training(unrated, {}, seed=0).advice == ""


def test_output_that_is_no_number_is_refused() -> None:
    model = build_autoencoder(_config("vanilla"), SHAPE)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(DivergenceError, match="NaN or infinite pixels: train it at a lower rate"):
        reconstruct(model, IMAGES)


def test_stored_layers_keep_their_arguments() -> None:
    for layer in (TrainingNoise(0.3, 5), Sampling(6), KLSparsity(0.1, 0.2)):
        copy = type(layer).from_config(layer.get_config())
        assert copy.get_config() == layer.get_config()
    assert ops.shape(Sampling(6)((np.ones((3, 2)), np.ones((3, 2))))) == (3, 2)
