"""Certificates: bounds that hold on random networks, and exact ones that a hand can compute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from models import N_CLASSES, SHAPE, blobs, classifier
from numpy.typing import NDArray

from gauntlet.catalogue.certificates import CERTIFICATES
from gauntlet.cells.certify import certified_metrics, certify
from gauntlet.cells.plan import plan_certifications
from gauntlet.certificates import margins, relaxation
from gauntlet.certificates.blocks import blocks_of
from gauntlet.certificates.interval import Intervals
from gauntlet.certificates.margins import Margins, box_around
from gauntlet.certificates.proof import Question
from gauntlet.certificates.relaxation import Relaxation
from gauntlet.config.attack import AttackConfig
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.errors import UsageError
from gauntlet.training.keras_loops import predict

METHODS = {"interval": Intervals, "relaxation": Relaxation}
ROUNDING = 1e-4
"""In logits of a few units, in float32."""

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def _dense() -> keras.Model:
    image = keras.Input(SHAPE)
    x = layers.Flatten()(image)
    for width in (12, 9):
        x = layers.Dense(width, "relu")(x)
    return keras.Model(image, layers.Dense(N_CLASSES)(x))


def _convolutional() -> keras.Model:
    """A network in a network, activations of their own, a layer without bias."""
    inner = keras.Sequential(
        [
            layers.Conv2D(3, 3, 2, "same", use_bias=False),
            layers.Activation("relu"),
            layers.Conv2D(4, (2, 1), activation="relu"),
        ]
    )
    image = keras.Input(SHAPE)
    x = layers.Flatten()(inner(layers.Reshape((8, 2, 1))(image)))
    x = layers.ReLU()(layers.Dense(7)(layers.Dense(6)(x)))
    return keras.Model(image, layers.Dense(N_CLASSES)(x))


NETWORKS: dict[str, Callable[[], keras.Model]] = {"dense": _dense, "convolutional": _convolutional}


def _drawn(network: str, seed: int) -> keras.Model:
    """Return a network with random weights and biases."""
    model, random = NETWORKS[network](), np.random.default_rng(seed)
    model.set_weights([random.normal(0, 0.6, w.shape) for w in model.get_weights()])
    return model


def _differences(logits: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Return the true logit minus each other one, in their order."""
    found = [row[label] - np.delete(row, label) for row, label in zip(logits, labels, strict=True)]
    return np.stack(found)


def _images(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    return random.random((n, *SHAPE), np.float32), random.integers(0, N_CLASSES, n)


def _margins(model: keras.Model, method: type, images: Any, labels: Any, epsilon: float) -> Any:
    found: Margins = method(blocks_of(model, images))
    return found(box_around(images, epsilon), labels)


# --- bounds ---


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), epsilon=st.sampled_from([0.01, 0.05, 0.2, 1.0]))
def test_bounds_hold_and_relaxation_is_never_looser(network, seed, epsilon) -> None:
    model, (images, labels) = _drawn(network, seed), _images(3, seed)
    by_intervals = _margins(model, Intervals, images, labels, epsilon)
    relaxed = _margins(model, Relaxation, images, labels, epsilon)
    assert (relaxed >= by_intervals - ROUNDING).all()
    for corner in (True, False):
        change = np.random.default_rng(seed).uniform(-epsilon, epsilon, (60, *images.shape))
        change = np.sign(change) * epsilon if corner else change
        for image, label, bound in zip(
            np.clip(images + change, 0, 1).swapaxes(0, 1), labels, relaxed, strict=True
        ):
            reached = _differences(predict(model, image.astype(np.float32)), np.full(60, label))
            assert (reached.min(axis=0) >= bound - ROUNDING).all()


@pytest.mark.parametrize("network", NETWORKS)
@every_method
def test_without_a_budget_margins_are_the_logits_own(network, method) -> None:
    model, (images, labels) = _drawn(network, 1), _images(5, 1)
    exact = _differences(predict(model, images), labels)
    assert _margins(model, method, images, labels, 0.0) == pytest.approx(exact, abs=ROUNDING)


def test_network_of_two_neurons_by_hand() -> None:
    """Pixels x, y in [0.4, 0.6]; z1 = x + y - 1, z2 = x - y; logits relu(z1) + relu(z2) + 1, 0.

    Both z lie in [-0.2, 0.2]. By intervals the difference of the logits is at least 0 + 0 + 1.
    By relaxation, relu(z) = z / 2 + r with r in [0, 0.1], so it is x - 0.5 + 1 + r1 + r2, which is
    at least 0.9: intervals are tighter here, and their bound stands. The other class's difference
    is at least -(0.2 + 0.2 + 1) by intervals, and -(x - 0.5 + 1 + 0.2) >= -1.3 by relaxation.
    """
    image = keras.Input((1, 2, 1))
    hidden = layers.Dense(2, "relu")
    logits = layers.Dense(2)
    model = keras.Model(image, logits(hidden(layers.Flatten()(image))))
    hidden.set_weights([np.array([[1, 1], [1, -1]]), np.array([-1, 0])])
    logits.set_weights([np.array([[1, 0], [1, 0]]), np.array([1, 0])])
    images, labels = np.full((2, 1, 2, 1), 0.5, np.float32), np.array([0, 1])
    by_intervals = _margins(model, Intervals, images, labels, 0.1)
    assert by_intervals.ravel() == pytest.approx([1.0, -1.4], abs=1e-6)
    relaxed = _margins(model, Relaxation, images, labels, 0.1)
    assert relaxed.ravel() == pytest.approx([1.0, -1.3], abs=1e-6)


def test_pixels_stay_in_their_range() -> None:
    """One pixel at 0.9 and a budget of 0.5: it reaches 1, not 1.4."""
    low, high = box_around(np.full((1, 1, 1, 1), 0.9, np.float32), 0.5)
    assert (low.numpy().item(), high.numpy().item()) == pytest.approx((0.4, 1.0))


# --- proofs ---


def _question(model: keras.Model, images: Any, labels: Any, *epsilons: float) -> Question:
    return Question(DefendedModel(model), images, labels, epsilons, seed=0)


@pytest.mark.parametrize("name", METHODS)
def test_proof_needs_every_margin_and_holds_for_smaller_budgets(name) -> None:
    epsilons = (0.0, 0.01, 0.03, 0.1, 0.5)
    model, (images, labels) = classifier("dense"), blobs(24)
    entry = AttackConfig(certificates=name).certificate(CERTIFICATES[name])
    (proof,) = entry.create(_question(model, images, labels, *epsilons))
    assert proof.proven.shape == (5, 24)
    assert (proof.proven[1:] <= proof.proven[:-1]).all()
    for row, epsilon in zip(proof.proven, epsilons, strict=True):
        least = _margins(model, METHODS[name], images, labels, epsilon).min(axis=1)
        assert np.array_equal(row, least > margins.TOLERANCE)
    right = predict(model, images).argmax(axis=1) == labels
    assert np.array_equal(proof.proven[0], right) and proof.proven[1].any()
    assert not proof.proven[-1].any()


def _certified(certificates: str, images: Any, labels: Any, report: Callable[[int], None]) -> Any:
    config = AttackConfig(certificates=certificates, defence="none", epsilons="0,0.02,0.05")
    (what,) = plan_certifications(config)
    return what, certify(what, DefendedModel(classifier("dense")), images, labels, report)


def test_batches_change_nothing_and_are_reported(monkeypatch) -> None:
    images, labels = blobs(24)
    _, whole = _certified("relaxation", images, labels, lambda _: None)
    monkeypatch.setattr(margins, "IMAGES", 10)
    monkeypatch.setattr(relaxation, "NUMBERS", 40)  # two or three neurons at a time
    done: list[int] = []
    what, found = _certified("relaxation", images, labels, done.append)
    assert done == [10, 10, 4] and np.array_equal(found.proven, whole.proven)
    logged = {(name, step): value for name, value, step in certified_metrics(what, found)}
    assert logged["certified/accuracy", 20] == found.proven[1].mean()
    low, high = (logged[f"certified/accuracy_{end}", 20] for end in ("low", "high"))
    assert low < found.proven[1].mean() < high


# --- what cannot be taken ---


def _with(layer: keras.Layer) -> keras.Model:
    return keras.Sequential([keras.Input(SHAPE), layer, layers.Flatten(), layers.Dense(2)])


def _residual() -> keras.Model:
    image = keras.Input(SHAPE)
    x = layers.Flatten()(image)
    return keras.Model(image, layers.Dense(2)(layers.Add()([x, layers.Dense(16)(x)])))


def _twice() -> keras.Model:
    image, again = keras.Input(SHAPE), layers.Dense(16, "relu")
    return keras.Model(image, layers.Dense(2)(again(again(layers.Flatten()(image)))))


REFUSED = {
    "layer": (lambda: _with(layers.MaxPooling2D()), "a MaxPooling2D."),
    "activation": (lambda: _with(layers.Dense(3, "tanh")), "activation tanh of layer"),
    "another ReLU": (lambda: _with(layers.ReLU(max_value=6.0)), "another slope, threshold"),
    "branch": (_residual, "a Add."),
    "operation": (lambda: _operation(), "Sigmoid"),
    "layer that comes twice": (_twice, "layers that are no chain"),
}


def _operation() -> keras.Model:
    image = keras.Input(SHAPE)
    return keras.Model(image, layers.Dense(2)(keras.ops.sigmoid(layers.Flatten()(image))))


@pytest.mark.parametrize(("build", "received"), REFUSED.values(), ids=REFUSED)
def test_other_network_is_refused_in_one_line(build, received) -> None:
    with pytest.raises(UsageError, match=r"^--certificates: expected networks of dense") as refusal:
        blocks_of(build(), _images(2, 0)[0])
    assert received in str(refusal.value) and "\n" not in str(refusal.value)


LINEAR = {f"{name}activation": "relu" for name in ("", "pre_output_", "output_")}
KNOWN: dict[str, tuple[dict[str, str], str]] = {
    "activation": ({"activation": "tanh"}, "received tanh in dense of defence none"),
    "pooling": ({"classifier": "convolutional"}, "received max pooling in convolutional"),
    "autoencoder": ({"defence": "reformer"}, "received exponential in vanilla of defence reformer"),
    "latent": (
        {"defence": "encoded", "autoencoder": "variational", **LINEAR},
        "received a latent in variational of defence encoded",
    ),
    "draws": (
        {"defence": "encoded", "autoencoder": "denoising", "noise": "0.1", "stochastic": "true"},
        "received random draws (--stochastic true) of defence encoded",
    ),
    "detectors": ({"defence": "magnet"}, "received detectors of defence magnet"),
}


@pytest.mark.parametrize(("values", "received"), KNOWN.values(), ids=KNOWN)
@pytest.mark.parametrize("certificate", METHODS)
def test_what_the_catalogue_knows_is_refused_before_anything_is_trained(
    certificate, values, received
) -> None:
    given = {"certificates": certificate, "defence": "none"} | values
    with pytest.raises(UsageError) as refusal:
        AttackConfig(**given)
    assert str(refusal.value).startswith(f"--certificates: {certificate} needs networks of dense")
    assert received in str(refusal.value)


def _planned(**values: str) -> Iterator[tuple[str, str]]:
    for what in plan_certifications(AttackConfig(**values)):
        yield what.certificate.name, what.defence.name


def test_a_defence_that_does_not_suit_is_left_out() -> None:
    both: Sequence[str] = ("interval", "relaxation")
    assert [*_planned(certificates=",".join(both), defence="none,reformer")] == [
        (name, "none") for name in both
    ]
    assert [*_planned(certificates="interval", defence="none,reformer", **LINEAR)] == [
        ("interval", "none"),
        ("interval", "reformer"),
    ]
    assert [*_planned()] == []


def test_every_certificate_says_what_it_needs() -> None:
    for entry in CERTIFICATES.values():
        assert entry.needs and entry.all_parameters[0] is entry.budgets
