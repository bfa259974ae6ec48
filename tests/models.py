"""Tiny data and tiny models that many tests share; each is built once a process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from gauntlet.arrays import Images, Labels
from gauntlet.attacks.base import Attack
from gauntlet.attacks.logistic_regression import LogisticRegressionAttack
from gauntlet.attacks.threat_models import logits_of
from gauntlet.autoencoders.encoder import encoder_of
from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.config.attack import AttackConfig
from gauntlet.config.training import AutoencoderConfig, ClassifierConfig
from gauntlet.defences import quantised
from gauntlet.defences.defended_model import DefendedModel, Parts
from gauntlet.defences.features import FeaturesModel
from gauntlet.defences.magnet import MagNet
from gauntlet.defences.smoothing import SmoothedModel
from gauntlet.defences.stand_in import with_stand_in
from gauntlet.training.keras_loops import EpochReport, predict

# Keras collects garbage before each training: half a second with all of TensorFlow in memory.
gc.freeze()

SHAPE = (4, 4, 1)
N_CLASSES = 3
N = 12
"""Images that the tests attack: always as many, so that nothing is compiled twice."""

DEFENDED = ("dense", "logistic_regression", "reformer")
FURTHER = ("convolutional", "features", "magnet", "quantised", "smoothing", "denoised_smoothing")
"""Every further kind compiles every attack anew, so few tests have these too."""

SIGMA = 0.2
"""Noise of the smoothed defences."""

TRAINING = {
    "preset": "smoke",
    "epochs": 25,
    "batch_size": 12,
    "learning_rate": 0.01,
    "widths": (12, 6),
}


def ignore(epoch: int, metrics: dict[str, float]) -> None:
    """Report of a training that nobody watches."""


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
    return train_classifier(config, *blobs(60, seed=1), N_CLASSES)


@cache
def autoencoder() -> keras.Model:
    """Return a trained autoencoder of `blobs`, smooth, with outputs in (0, 1)."""
    smooth = {"activation": "tanh", "pre_output_activation": "tanh", "output_activation": "sigmoid"}
    config = AutoencoderConfig(**TRAINING, **smooth, loss="mean_squared_error")
    return train_autoencoder(config, blobs(60, seed=1)[0])


@cache
def head() -> keras.Model:
    """Return a trained classifier of the autoencoder's features of `blobs`."""
    images, labels = blobs(60, seed=1)
    fast = {"classifier_epochs": 40, "classifier_batch_size": 12, "classifier_rate": 0.02}
    config = ClassifierConfig(**TRAINING, **fast, train_on="features", head_units=8)
    features = predict(encoder_of(autoencoder()), images)
    return train_classifier(config, features, labels, N_CLASSES)


@cache
def magnet() -> MagNet:
    """Return detectors and a reformer before the dense classifier; two clean images in 99 fall."""
    both, detectors = autoencoder(), ("l2", "l1", "jsd")
    parts = MagNet(classifier("dense"), both, second=both, detectors=detectors)
    return parts.calibrated(blobs(99, seed=3)[0], 0.021)


@cache
def noisy_classifier() -> keras.Model:
    """Return a classifier of `blobs` that learned with the noise of `smoothed`."""
    config = ClassifierConfig(**TRAINING, train_on="noisy", smoothing_sigma=SIGMA)
    return train_classifier(config, *blobs(60, seed=1), N_CLASSES)


def smoothed(*parts: keras.Model) -> SmoothedModel:
    """Return a smoothed classifier, behind an autoencoder if there is one."""
    return SmoothedModel(*parts, sigma=SIGMA, samples=4, judge_draws=25, seed=5)


@cache
def defended(name: str) -> DefendedModel:
    """Return one of `DEFENDED` or `FURTHER`."""
    if name == "magnet":
        return magnet()
    if name == "reformer":
        return DefendedModel(classifier("dense"), autoencoder())
    if name == "quantised":
        parts = Parts(classifier("dense"), (), None, 0)
        bare = quantised.build(parts, bits=1)
        return replace(bare, autoencoder=with_stand_in(bare.autoencoder, "identity", parts))
    if name == "features":
        return FeaturesModel(head(), autoencoder())
    if name == "smoothing":
        return smoothed(noisy_classifier())
    if name == "denoised_smoothing":
        return smoothed(classifier("dense"), autoencoder())
    return DefendedModel(classifier(name))


def train_autoencoder(
    config: AutoencoderConfig, images: Images, report: EpochReport = ignore, **more: Any
) -> keras.Model:
    """Return the autoencoder of a config, trained."""
    return config.autoencoder().run(images, report, **more).model


def train_classifier(
    config: ClassifierConfig,
    images: Images,
    labels: Labels,
    n_classes: int,
    report: EpochReport = ignore,
    **more: Any,
) -> keras.Model:
    """Return the classifier of a config, trained."""
    return config.training.run(images, labels, n_classes, report, **more).model


def build_autoencoder(config: AutoencoderConfig, shape: tuple[int, ...]) -> keras.Model:
    """Return the untrained autoencoder of a config."""
    return config.autoencoder().create(shape, config.seed)


def build_classifier(
    config: ClassifierConfig, shape: tuple[int, ...], n_classes: int
) -> keras.Model:
    """Return the untrained classifier of a config."""
    return config.training.create(shape, n_classes, config.seed)


def train_regression(images: Images, labels: Labels, report: EpochReport = ignore) -> keras.Model:
    """Return a fitted logistic regression."""
    config = ClassifierConfig(classifier="logistic_regression")
    return train_classifier(config, images, labels, len(np.unique(labels)), report)


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
        "fmn_steps": 20,
        "ddn_steps": 20,
        "fab_steps": 8,
        "local_search_rounds": 20,
        "hop_skip_jump_steps": 3,
        "hop_skip_jump_queries": 700,
        "sigma_zero_steps": 20,
    }
    made = AttackConfig(**(small | changes)).attack(ATTACKS[name]).create()
    fixed = {"steps": 6, "queries": 40}
    return replace(made, **{k: n for k, n in fixed.items() if k in ATTACKS[name].fixed})


def run(
    attack: Attack, logits: Callable[[Any], Any], epsilon: float, **options: Any
) -> NDArray[np.float32]:
    """Return the adversarial images of one budget; of `blobs(N)`, unless `data` says otherwise."""
    images, labels = options.pop("data", blobs(N))
    keeps = not isinstance(attack, LogisticRegressionAttack)
    (result,) = attack(logits, images, labels, epsilons=[epsilon], keeps_budget=keeps, **options)
    return result.adversarial
