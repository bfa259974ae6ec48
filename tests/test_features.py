"""A classifier on features stands on the encoder alone, whatever the kind of autoencoder."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from models import (
    N_CLASSES,
    SHAPE,
    N,
    autoencoder,
    blobs,
    build_autoencoder,
    build_classifier,
    defended,
    head,
)

from gauntlet.autoencoders.encoder import decoder_of, encoder_of
from gauntlet.config.training import AutoencoderConfig, ClassifierConfig
from gauntlet.training.keras_loops import predict

CODES = {"vanilla": 6, "sparse": 6, "denoising": 6, "variational": 2}


@pytest.mark.parametrize(("kind", "features"), CODES.items(), ids=CODES)
def test_every_kind_has_deterministic_features(kind: str, features: int) -> None:
    config = AutoencoderConfig(autoencoder=kind, widths=(12, 6), noise=0.5)
    encoder = encoder_of(build_autoencoder(config, SHAPE))
    first, again = (predict(encoder, blobs(N)[0]) for _ in range(2))
    assert first.shape == (N, features) and np.array_equal(first, again)


@pytest.mark.parametrize("kind", CODES)
def test_decoder_goes_on_where_the_encoder_ends(kind: str) -> None:
    config = AutoencoderConfig(autoencoder=kind, widths=(12, 6), noise=0.5)
    model = build_autoencoder(config, SHAPE)
    features = predict(encoder_of(model), blobs(N)[0])
    np.testing.assert_allclose(
        predict(decoder_of(model), features), predict(model, blobs(N)[0]), atol=1e-6
    )


def test_variational_features_are_the_mean() -> None:
    model = build_autoencoder(AutoencoderConfig(autoencoder="variational", widths=(12, 6)), SHAPE)
    mean, log_variance = (layer for layer in model.layers[3:6] if layer.units == 2)
    log_variance.bias.assign([3.0, 3.0])  # a draw would stray
    expected = predict(keras.Model(model.input, mean.output), blobs(N)[0])
    assert np.array_equal(predict(encoder_of(model), blobs(N)[0]), expected)


def test_head_of_the_paper() -> None:
    model = build_classifier(ClassifierConfig(train_on="features"), (64,), 10)
    assert [layer.units for layer in model.layers[1:]] == [64, 10]
    assert [layer.activation.__name__ for layer in model.layers[1:]] == ["relu", "linear"]


def test_graph_is_the_head_behind_the_encoder() -> None:
    images, labels = blobs(N)
    by_hand = predict(head(), predict(encoder_of(autoencoder()), images))
    np.testing.assert_allclose(defended("features").logits(images), by_hand, atol=1e-5)  # rounding
    assert by_hand.shape == (N, N_CLASSES)
    assert (defended("features").predict(images) == labels).mean() >= 11 / 12


def test_grid_shows_the_reconstruction() -> None:
    expected = predict(autoencoder(), blobs(N)[0])
    assert np.array_equal(defended("features").reconstruct(blobs(N)[0]), expected)
