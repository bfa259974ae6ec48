"""Filters without a gradient of use: what stands in for them, and what attacks find with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from models import SHAPE, N, attack, autoencoder, blobs, classifier, defended, run

from gauntlet.arrays import Images
from gauntlet.attacks.gradients import compiled_gradient, cross_entropy
from gauntlet.attacks.threat_models import Scenario, logits_of
from gauntlet.catalogue.defences import DEFENCES, Defence
from gauntlet.catalogue.threat_models import THREAT_MODELS, suiting
from gauntlet.cells.assemble import assemble
from gauntlet.cells.measure import measure
from gauntlet.cells.plan import Cell, plan_cells
from gauntlet.config.attack import AttackConfig
from gauntlet.config.command_line import parse
from gauntlet.defences import quantised
from gauntlet.defences.defended_model import DefendedModel, Parts
from gauntlet.defences.stand_in import STAND_INS, with_stand_in
from gauntlet.entry_points.attack import notes
from gauntlet.errors import UsageError
from gauntlet.tracking.recording import TrackedRun
from gauntlet.training.keras_loops import predict

GREY = np.linspace(0, 1, N * np.prod(SHAPE), dtype=np.float32).reshape(N, *SHAPE)


def _parts() -> Parts:
    return Parts(classifier("dense"), (autoencoder(),), None, 0)


def _exact(bits: int = 1) -> DefendedModel:
    """Return the filter as its function builds it: nothing stands in."""
    return quantised.build(_parts(), bits=bits)


def _cell(**values: Any) -> Cell:
    asked = {"attacks": "pgd", "epsilons": (0.25,), "threat_models": "white_box", **values}
    (cell,) = plan_cells(AttackConfig(preset="smoke", defence="quantised", **asked))
    return cell


def _gradient(model: keras.Model, images: Images) -> Images:
    labels = tf.constant(blobs(N)[1])
    followed = compiled_gradient(logits_of(model), cross_entropy, False)
    found: Images = followed(tf.constant(images), labels, labels).numpy()
    return found


# --- the filter ---


@pytest.mark.parametrize("bits", range(1, 9))
def test_pixels_take_the_nearest_of_so_many_values(bits: int) -> None:
    steps = 2**bits - 1
    values = np.arange(steps + 1) / steps
    nearest = values[np.abs(GREY[..., None] - values).argmin(axis=-1)]
    found = _exact(bits).reconstruct(GREY)
    np.testing.assert_allclose(found, nearest, atol=1e-6)
    assert len(np.unique(found)) == min(2**bits, GREY.size)


def test_one_bit_is_the_published_default_on_mnist() -> None:
    assert _cell().defence.values == {"quantised_bits": 1}
    for wrong in ("0", "9"):
        with pytest.raises(UsageError, match=r"^--quantised_bits: "):
            parse("attack", {"defence": "quantised", "quantised_bits": wrong})


def test_a_filter_before_a_classifier_of_images_leaves_out_no_threat_model() -> None:
    entry = DEFENCES["quantised"]
    assert suiting(entry) == suiting(DEFENCES["reformer"]) and entry.parts({}) == ("raw",)


# --- what stands in ---


def test_without_a_stand_in_there_is_no_gradient_anywhere() -> None:
    images, labels = blobs(N)
    assert not _gradient(_exact().graph, images).any()
    logits = logits_of(_exact().graph)
    assert attack("pgd").without_gradient(logits, images, labels).all()


def test_the_image_goes_through_the_filter_bit_by_bit() -> None:
    for name in STAND_INS:
        model = with_stand_in(_exact(2).autoencoder, name, _parts())
        assert np.array_equal(predict(model, GREY), _exact(2).reconstruct(GREY))


def test_the_gradient_goes_through_the_identity() -> None:
    """It is the classifier's own, where the filter put the image."""
    images = blobs(N)[0]
    whole = assemble(_cell(), classifier("dense"), (), images)
    expected = _gradient(classifier("dense"), whole.reconstruct(images))
    assert expected.any(axis=(1, 2, 3)).all()
    np.testing.assert_allclose(_gradient(whole.graph, images), expected, rtol=1e-4, atol=1e-7)


def test_the_gradient_goes_through_the_autoencoder() -> None:
    images, parts = blobs(N)[0], _parts()
    image = keras.Input(SHAPE)
    exact = keras.Model(image, ops.round(autoencoder()(image)))
    whole = DefendedModel(parts.classifier, with_stand_in(exact, "autoencoder", parts))
    behind = _gradient(parts.classifier, predict(exact, images))
    with tf.GradientTape() as tape:
        tape.watch(watched := tf.constant(images))
        out = autoencoder()(watched)
    expected = tape.gradient(out, watched, output_gradients=tf.constant(behind)).numpy()
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(_gradient(whole.graph, images), expected, rtol=1e-3, atol=1e-7)


def test_pgd_fells_what_it_cannot_fell_without_a_stand_in() -> None:
    images, labels = blobs(N)
    whole = assemble(_cell(), classifier("dense"), (), images)
    with_it, without = (
        whole.predict(run(attack("pgd"), logits_of(model.graph), 0.3)) == labels
        for model in (whole, _exact())
    )
    assert (whole.predict(images) == labels).all()
    assert not with_it.any() and without.mean() >= 0.5


@pytest.mark.parametrize("bare", [False, True])
def test_a_cell_counts_images_without_a_gradient(bare: bool) -> None:
    images, labels = blobs(N)
    whole = _exact() if bare else assemble(_cell(), classifier("dense"), (), images)
    found = measure(_cell(), Scenario(THREAT_MODELS["white_box"], whole), images, labels)
    logged = {metric: value for metric, value, _ in found.metrics}
    assert logged["attack/zero_gradients"] == (N if bare else 0)


def test_who_ignores_the_filter_attacks_the_undefended_classifier() -> None:
    gray, bare = _cell(threat_models="gray_box"), "none"
    (undefended,) = plan_cells(
        AttackConfig(preset="smoke", defence=bare, attacks="pgd", threat_models="white_box")
    )
    assert gray.view == undefended.view
    whole = assemble(gray, classifier("dense"), (), blobs(N)[0])
    scenario = Scenario(THREAT_MODELS["gray_box"], whole)
    assert scenario.logits.model is classifier("dense")


# --- what is said of it ---


def test_a_stand_in_decides_the_result() -> None:
    assert _cell().settings["stand_in"] == "identity"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"before": "nothing"}, "stand_in='identity' is of a filter, and before='nothing' is none"),
        ({"stand_in": "autoencoder"}, "stand_in='autoencoder' is the first of its autoencoders"),
    ],
)
def test_a_stand_in_of_nothing_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^defence 'it': {said}"):
        Defence(**{"name": "it", "sentence": "", "code": "", "stand_in": "identity"} | fields)


@pytest.mark.parametrize(("defence", "count"), [("none,quantised", 1), ("none,reformer", 0)])
def test_notes_say_where_gradients_go(defence: str, count: int) -> None:
    config, run = parse("attack", {"defence": defence}), SimpleNamespace(id="it")
    lines = notes(config, cast(TrackedRun, run), {})
    said = "gradients through `quantised` go through the identity (BPDA)"
    assert lines.count(said) == count


def test_pictures_show_the_filtered_image() -> None:
    whole = assemble(_cell(), classifier("dense"), (), blobs(N)[0])
    assert whole.autoencoder is not None
    assert np.isin(whole.reconstruct(blobs(N)[0]), (0, 1)).all()
    assert defended("quantised").reconstruct(GREY).shape == GREY.shape
