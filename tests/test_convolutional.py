"""The second paper's encoder and generator: sizes, activations, and a file without our code."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from models import blobs, build_autoencoder, ignore, train_autoencoder

from gauntlet.autoencoders.layers import CODE
from gauntlet.config.training import AutoencoderConfig

MNIST = (28, 28, 1)
SHAPES = [MNIST, (8, 8, 1), (9, 13, 1), (5, 6, 3), (1, 2, 1)]
FILTERS = [(3,), (2, 3), (2, 3, 4), (2, 2, 2, 2, 2)]


def _build(shape: tuple[int, ...], **changes) -> keras.Model:
    config = AutoencoderConfig(**{"autoencoder": "convolutional", "features": 5, **changes})
    return build_autoencoder(config, shape)


def _of(kind: type[keras.layers.Layer], model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if type(layer) is kind]


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_output_has_the_shape_of_the_images(shape, filters) -> None:
    model = _build(shape, filters=filters)
    assert model.output_shape == (None, *shape)
    assert model.get_layer(CODE).output.shape == (None, 5)


def test_sizes_of_the_paper() -> None:
    model = _build(MNIST, filters=(32, 64, 128), features=64)
    down = [layer.output.shape[1:] for layer in _of(keras.layers.Conv2D, model)]
    assert down == [(14, 14, 32), (7, 7, 64), (4, 4, 128)]
    up = [layer.output.shape[1:] for layer in _of(keras.layers.Conv2DTranspose, model)]
    assert up == [(8, 8, 64), (14, 14, 32), (28, 28, 1)]
    (crop,) = _of(keras.layers.Cropping2D, model)
    assert crop.cropping == ((0, 1), (0, 1))


def test_parameters_by_hand() -> None:
    encoder = (9 * 1 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128 + (16 * 128 + 1) * 64
    generator = (64 + 1) * 16 * 128 + (9 * 128 + 1) * 64 + (9 * 64 + 1) * 32 + 9 * 32 + 1
    model = _build(MNIST, filters=(32, 64, 128), features=64)
    assert model.count_params() == encoder + generator


def test_activations_of_the_paper() -> None:
    model = _build(MNIST, filters=(4, 8))
    convolutions = [*_of(keras.layers.Conv2D, model), *_of(keras.layers.Conv2DTranspose, model)]
    assert {(c.kernel_size, c.strides, c.padding) for c in convolutions} == {
        ((3, 3), (2, 2), "same")
    }
    names = [layer.activation.__name__ for layer in convolutions]
    assert names == ["relu", "relu", "relu", "tanh"]
    assert model.get_layer(CODE).activation is keras.activations.linear


def test_output_is_half_of_one_plus_tanh() -> None:
    model = _build((4, 4, 1), filters=(3,))
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    (last,) = _of(keras.layers.Conv2DTranspose, model)
    for bias in (-30.0, -0.5, 0.0, 2.0, 30.0):
        last.set_weights([last.get_weights()[0], np.array([bias], np.float32)])
        expected = np.full((1, 4, 4, 1), (1 + np.tanh(bias)) / 2)
        output = np.asarray(model(np.ones((1, 4, 4, 1), np.float32)))
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-7)  # float32
        assert output.min() >= 0 and output.max() <= 1


def test_stored_model_needs_no_code_of_the_project(tmp_path) -> None:
    model = _build((9, 13, 1), filters=(2, 3))
    assert "gauntlet" not in model.to_json() and "Lambda" not in model.to_json()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    images = np.random.default_rng(0).random((3, 9, 13, 1), np.float32)
    assert np.array_equal(loaded(images), model(images))


@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_crossentropy"])
def test_training_lowers_the_loss_and_follows_the_seed(loss: str) -> None:
    images, history = blobs(36)[0], []
    config = AutoencoderConfig(
        autoencoder="convolutional",
        preset="smoke",
        filters=(4,),
        epochs=6,
        batch_size=12,
        learning_rate=0.01,
        loss=loss,
    )
    model = train_autoencoder(config, images, lambda _, metrics: history.append(metrics))
    assert history[-1]["train/loss"] < history[0]["train/loss"]
    again = train_autoencoder(config, images, ignore).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again, strict=True))
