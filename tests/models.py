"""Tiny data and tiny models that many tests share; each is built once a process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from gauntlet.attacks.base import Attack
from gauntlet.attacks.registry import build_attack
from gauntlet.attacks.threat_models import logits_of
from gauntlet.autoencoders.encoder import encoder_of
from gauntlet.autoencoders.training import train_autoencoder
from gauntlet.classifiers.training import train_classifier
from gauntlet.config.attack import AttackConfig
from gauntlet.config.models import AutoencoderConfig, ClassifierConfig
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.defences.features import FeaturesModel
from gauntlet.defences.magnet import MagNet
from gauntlet.training.keras_loops import predict

# Keras collects garbage before each training: half a second with all of TensorFlow in memory.
gc.freeze()

SHAPE = (4, 4, 1)
N_CLASSES = 3
N = 12
"""Images that the tests attack: always as many, so that nothing is compiled twice."""

DEFENDED = ("dense", "logistic_regression", "reformer")
FURTHER = ("convolutional", "features", "magnet")
"""Every further kind compiles every attack anew, so few tests have these too."""

TRAINING = {
    "preset": "smoke",
    "epochs": 25,
    "batch_size": 12,
    "learning_rate": 0.01,
    "widths": (12, 6),
}


def frozen(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Make arrays read-only."""
    for array in arrays:
        array.setflags(write=False)
    return arrays


@cache
def blobs(n: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return read-only images in [0, 1]: class k has its row k brighter than the others."""
    random = np.random.default_rng(seed)
    labels = np.arange(n, dtype=np.int64) % N_CLASSES
    images = random.uniform(0.1, 0.5, (n, *SHAPE))
    images[np.arange(n), labels] += 0.35
    return frozen(images.astype(np.float32), labels)


@cache
def classifier(kind: str) -> keras.Model:
    """Return a trained classifier of `blobs`."""
    own = {"classifier_epochs": 15, "classifier_batch_size": 6} if kind == "convolutional" else {}
    config = ClassifierConfig(**TRAINING | own, classifier=kind)
    return train_classifier(config, *blobs(60, seed=1), N_CLASSES, ignore)


@cache
def autoencoder() -> keras.Model:
    """Return a trained autoencoder of `blobs`, smooth, with outputs in (0, 1)."""
    smooth = {"activation": "tanh", "pre_output_activation": "tanh", "output_activation": "sigmoid"}
    config = AutoencoderConfig(**TRAINING, **smooth, loss="mean_squared_error")
    return train_autoencoder(config, blobs(60, seed=1)[0], ignore)


@cache
def head() -> keras.Model:
    """Return a trained classifier of the autoencoder's features of `blobs`."""
    images, labels = blobs(60, seed=1)
    fast = {"classifier_epochs": 40, "classifier_batch_size": 12, "classifier_rate": 0.02}
    config = ClassifierConfig(**TRAINING, **fast, train_on="features", head_units=8)
    features = predict(encoder_of(autoencoder()), images)
    return train_classifier(config, features, labels, N_CLASSES, ignore)


@cache
def magnet() -> MagNet:
    """Return detectors and a reformer before the dense classifier; two clean images in 99 fall."""
    parts = MagNet(classifier("dense"), autoencoder(), autoencoder(), ("l2", "l1", "jsd"))
    return parts.calibrated(blobs(99, seed=3)[0], 0.021)


@cache
def defended(name: str) -> DefendedModel:
    """Return one of `DEFENDED` or `FURTHER`."""
    if name == "magnet":
        return magnet()
    if name == "reformer":
        return DefendedModel(classifier("dense"), autoencoder())
    if name == "features":
        return FeaturesModel(head(), autoencoder())
    return DefendedModel(classifier(name))


def logits(name: str) -> Callable[[Any], Any]:
    """Return what an attacker differentiates; always the same object for a name."""
    return logits_of(defended(name).graph, defended(name).rejects)


def affine(weights: np.ndarray, bias: list[float], shape: tuple[int, ...] = ()) -> keras.Model:
    """Return a model of one dense layer by hand, its output reshaped if a shape is given."""
    image = keras.Input(SHAPE)
    dense = layers.Dense(len(bias))
    out = dense(layers.Flatten()(image))
    dense.set_weights([weights, np.array(bias)])
    return keras.Model(image, layers.Reshape(shape)(out) if shape else out)


@cache
def plain(name: str) -> Callable[[Any], Any]:
    """Return logits of images alone, as other libraries want them; the same object for a name."""
    graph = defended(name).graph
    return lambda images: graph(images, training=False)


def attack(name: str, **changes: Any) -> Attack:
    """Return an attack with few iterations."""
    small = {
        "preset": "smoke",
        "steps": 4,
        "rel_step": 0.5,
        "restarts": 2,
        "target": 1,
        "lr_target": 2,
        "apgd_steps": 6,
        "apgd_restarts": 2,
        "square_queries": 40,
        "spsa_steps": 5,
        "spsa_samples": 8,
        "cw_steps": 30,
        "cw_searches": 3,
        "cw_rate": 0.05,
        "local_search_rounds": 20,
    }
    return build_attack(name, AttackConfig(**(small | changes)))


def run(
    attack: Attack, logits: Callable[[Any], Any], epsilon: float, **options: Any
) -> NDArray[np.float32]:
    """Return the adversarial images of one budget; of `blobs(N)`, unless `data` says otherwise."""
    images, labels = options.pop("data", blobs(N))
    (result,) = attack(logits, images, labels, epsilons=[epsilon], **options)
    return result.adversarial


def ignore(epoch: int, metrics: dict[str, float]) -> None:
    """Report of a training that nobody watches."""
