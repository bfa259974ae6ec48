"""Attacks with nothing to follow: how many images that is, and who says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from made_cells import made_cell
from models import DEFENDED, N_CLASSES, SHAPE, N, attack, blobs, defended, logits
from servers import tracking_to

from gauntlet.attacks.gradients import LOSSES, loss_gradient
from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.cells.result import CellResult
from gauntlet.config.command_line import parse
from gauntlet.entry_points import attack as attack_step
from gauntlet.report.attack.page import as_document
from gauntlet.report.attack.summary import summarise
from gauntlet.report.document.pages import as_markdown

FOLLOWING = [name for name, entry in ATTACKS.items() if entry.needs == "gradients"]
SATURATING = ("fgsm", "bim", "pgd", "pgd_l2", "mim", "apgd_ce", "apgd_ce_l2", "ddn")
"""They ascend the cross entropy of the true class, which ends where the softmax is certain."""


def _weights(labels_of: int) -> tf.Tensor:
    """Return weights that sum the rows of `blobs`, each for its class."""
    rows = np.arange(np.prod(SHAPE)) // SHAPE[1]
    return tf.constant(np.eye(labels_of)[np.minimum(rows, labels_of - 1)], tf.float32)


def _constant(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return tf.reshape(images, (-1, np.prod(SHAPE))) @ tf.zeros((np.prod(SHAPE), N_CLASSES))


def _rounding(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Logits without any way back to the image: TensorFlow knows no gradient of a rounding."""
    return logits("dense")(tf.round(images), labels)


def _saturated(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return 1e6 * logits("dense")(images, labels)


def _dead_where_dark(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Logits of a network whose first unit is dead for images of mean 0.5 or less."""
    lively = tf.cast(tf.reduce_mean(images, axis=[1, 2, 3]) > 0.5, tf.float32)[:, None]
    return lively * (tf.reshape(images, (-1, np.prod(SHAPE))) @ _weights(N_CLASSES))


def _half_bright() -> tuple[np.ndarray, np.ndarray]:
    images, labels = blobs(N)
    bright = images.copy()
    bright[::2] = np.clip(bright[::2] + 0.35, 0, 1)
    return bright, labels


@pytest.mark.parametrize("model", DEFENDED)
@pytest.mark.parametrize("name", ATTACKS)
def test_every_gradient_attack_tells_and_others_do_not(name: str, model: str) -> None:
    found = attack(name).without_gradient(logits(model), *blobs(N))
    assert (found is None) == (name not in FOLLOWING)
    assert found is None or (found.shape == (N,) and found.dtype == bool and not found.any())


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_model_that_never_changes_has_no_gradient(name: str) -> None:
    assert attack(name).without_gradient(_constant, *blobs(N)).all()


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_filter_that_rounds_has_no_gradient_and_breaks_no_attack(name: str) -> None:
    assert attack(name).without_gradient(_rounding, *blobs(N)).all()
    keeps = ATTACKS[name].keeps_budget
    (found,) = attack(name)(_rounding, *blobs(N), epsilons=[0.1], keeps_budget=keeps)
    assert np.isfinite(found.adversarial).all()


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_certain_softmax_has_none_of_the_true_class_alone(name: str) -> None:
    found = attack(name).without_gradient(_saturated, *blobs(N))
    right = defended("dense").predict(blobs(N)[0]) == blobs(N)[1]
    assert right.all()
    aims = {"t_fgsm": 1, "lr_one_target": 2}
    expected = blobs(N)[1] == aims[name] if name in aims else name in SATURATING
    assert np.array_equal(found, np.broadcast_to(expected, N))


@pytest.mark.parametrize("loss", ["margin", "dlr"])
def test_pgd_tells_of_its_own_loss(loss: str) -> None:
    assert attack("pgd").without_gradient(_saturated, *blobs(N)).all()
    assert not attack("pgd", pgd_loss=loss).without_gradient(_saturated, *blobs(N)).any()


@pytest.mark.parametrize("batch_size", [None, 5])  # 5 + 5 + 2, and padding that is not counted
@pytest.mark.parametrize("name", FOLLOWING)
def test_each_image_is_told_for_itself(name: str, batch_size: int | None) -> None:
    found = attack(name).without_gradient(_dead_where_dark, *_half_bright(), batch_size=batch_size)
    assert np.array_equal(found, np.arange(N) % 2 == 1)


def test_what_is_no_number_is_no_gradient() -> None:
    def nowhere(images: Any, labels: Any) -> Any:
        return tf.sqrt(tf.reshape(images, (-1, np.prod(SHAPE))) @ _weights(N_CLASSES) * 0)

    assert attack("fgsm").without_gradient(nowhere, *blobs(N)).all()


# --- DLR ---


def _gradient(loss: str, classes: int) -> Callable[[], np.ndarray]:
    def z(images: Any, labels: Any) -> Any:
        return tf.reshape(images, (-1, np.prod(SHAPE))) @ _weights(classes)

    images, labels = blobs(N)
    return loss_gradient(z, LOSSES[loss], images, tf.constant(labels % classes)).numpy()


def test_of_two_classes_dlr_is_the_margin() -> None:
    assert np.array_equal(_gradient("dlr", 2), _gradient("margin", 2))
    assert np.abs(_gradient("dlr", 2)).max() > 0
    assert not np.array_equal(_gradient("dlr", 3), _gradient("margin", 3))


# --- the warning ---


def _cell(no_gradient: np.ndarray | None, name: str = "fgsm") -> CellResult:
    """Return a cell of ten images, of which the last is wrong already."""
    return made_cell(
        name,
        [(), ()],
        defence="reformer",
        threat_model="gray_box",
        wrong=[9],
        no_gradient=no_gradient,
    )


@pytest.mark.parametrize(("stuck", "warned"), [(0, False), (4, False), (5, True), (9, True)])
def test_a_gradient_that_is_zero_on_most_images_is_said(stuck: int, warned: bool) -> None:
    summary = summarise([_cell(np.arange(10) < stuck), _cell(None, "square")])
    lines = list(summary.warnings())
    assert len(lines) == warned
    for line in lines:
        assert line.startswith("fgsm on reformer under gray_box: ") and f"{stuck} of 9" in line
        assert "--attacks apgd_t" in line and "--pgd_loss margin" in line
        assert f"\nWarning: {line}.\n" in as_markdown(as_document(summary, "It", []))


def test_what_is_wrong_already_needs_no_gradient() -> None:
    assert not list(summarise([_cell(np.arange(10) >= 5)]).warnings())
    nothing_right = _cell(np.ones(10, bool))
    nothing_right.clean[:] = 1
    assert not list(summarise([nothing_right]).warnings())


# --- runs ---


def test_each_cell_logs_it_and_is_read_back_with_it(attacked, tmp_path) -> None:
    with tracking_to(attacked.uri, tmp_path) as client:
        for row in attacked.summary.rows:
            for cell in row.cells:
                logged = client.get_run(cell.run_id).data.metrics.get("attack/zero_gradients")
                found = cell.no_gradient
                assert (found is None) == (cell.attack == "noise") == (logged is None)
                assert found is None or logged == found.sum()


@pytest.mark.slow
def test_dlr_is_as_strong_as_the_cross_entropy_on_two_classes(store, tmp_path, capsys) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    two = digits.target < 2
    x, y = (digits.images[two] / 16).astype(np.float32), digits.target[two]
    path = tmp_path / "two.npz"
    np.savez(path, x_train=x[:250], y_train=y[:250], x_test=x[250:], y_test=y[250:])
    values = {
        "preset": "smoke",
        "dataset": f"npz:{path}",
        "defence": "none",
        "epsilons": "0.3",
        "train_size": "all",
        "test_size": "all",
        "threat_models": "white_box",
        "attacks": "apgd_ce,apgd_dlr,pgd",
        "pgd_loss": "dlr",
    }
    (row,) = attack_step.run(parse("attack", values)).rows
    left = {cell.attack: cell.accuracies[0] for cell in row.cells}
    assert left["apgd_dlr"] <= left["apgd_ce"] + 0.05 and left["pgd"] <= left["apgd_ce"] + 0.05
    said = capsys.readouterr().out
    assert said.count("note: apgd_dlr and pgd: the difference of logits ratio needs 3 classes") == 1
    assert "exactly zero" not in said
