"""The first N images of sorted data: what is missing is said, a single class is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from stored import runs_of

from gauntlet.__main__ import main
from gauntlet.config.command_line import parse
from gauntlet.errors import UsageError
from gauntlet.pipeline.inputs import load_data

CLASSES, TRAIN, TEST = 5, 20, 8
"""Of each class so many training and test images."""


@pytest.fixture
def sorted_npz(tmp_path: Path) -> Callable[..., str]:
    """Write data of five classes, in their order unless labels are given; return its name."""

    def write(**labels: np.ndarray) -> str:
        arrays = {}
        for split, size in (("train", TRAIN), ("test", TEST)):
            y = labels.get(f"y_{split}", np.repeat(np.arange(CLASSES), size))
            arrays |= {f"y_{split}": y, f"x_{split}": np.zeros((len(y), 4, 4), np.uint8)}
        np.savez(tmp_path / "sorted.npz", **arrays)
        return f"npz:{tmp_path / 'sorted.npz'}"

    return write


def _said(capsys, entry_point: str, **values: object) -> list[str]:
    """Return the warnings of a config's data."""
    given = {"preset": "smoke", "train_size": "all", "test_size": "all"} | values
    load_data(parse(entry_point, {name: str(value) for name, value in given.items()}))
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]


ROBUST = {"study": "defence", "validation_size": 50, "test_size": "all"}
MISSING = {
    # entry point, values -> flag, and what is missing where
    "training": (
        "attack",
        {"train_size": 50, "attacks": "fgsm"},
        "--train_size: the first 50 training images lack 2 of 5 classes (3, 4)",
    ),
    "test": ("classifier", {"test_size": 17}, "--test_size: the first 17 test images lack 2 of 5"),
    "skipped": (
        "classifier",
        {"test_first": 10},
        "--test_first: the 30 test images from image 10 on lack 1 of 5 classes (0)",
    ),
    "between": (
        "classifier",
        {"test_first": 10, "test_size": 20},
        "--test_size: the 20 test images from image 10 on lack 2 of 5 classes (0, 4)",
    ),
    "learned": ("autoencoder", {"validation_size": 30}, "that is learned from, lack 1 of 5 "),
    "held out": ("autoencoder", {"validation_size": 30}, "held out, lack 3 of 5 classes (0, 1, 2)"),
    "thresholds": (
        "attack",
        {"defence": "magnet", "autoencoder": "magnet_1", "attacks": "fgsm", "validation_size": 30},
        "--validation_size: the last 30 training",
    ),
    "attacked": ("tune", ROBUST | {"attack_images": 30}, "first 30 held-out images, which are"),
    "attacked test": ("tune", ROBUST | {"attack_images": 30}, "--attack_images: the first 30 test"),
    "few": ("reproduce", {"few": 30}, "--few: the first 30 test images, which are attacked, lack"),
    "local search": ("reproduce", {"local_search_images": 10}, "--local_search_images: the first"),
}


@pytest.mark.parametrize(("entry_point", "values", "said"), MISSING.values(), ids=MISSING)
def test_missing_class_is_said(entry_point, values, said, sorted_npz, capsys) -> None:
    lines = _said(capsys, entry_point, dataset=sorted_npz(), **values)
    (line,) = [line for line in lines if said in line]
    assert "shuffle the file, or take more images (all: every one)" in line


ALONE = {
    "training": ("autoencoder", {"train_size": 20}, "--train_size", 0),
    "test": ("classifier", {"test_size": 8}, "--test_size", 0),
    "skipped": ("classifier", {"test_first": 32}, "--test_first", 4),
    "between": ("classifier", {"test_first": 16, "test_size": 8}, "--test_size", 2),
    "learned": ("classifier", {"validation_size": 81}, "--validation_size", 0),
    "held out": ("autoencoder", {"validation_size": 20}, "--validation_size", 4),
    "thresholds": (
        "attack",
        {"defence": "magnet", "validation_size": 9, "attacks": "fgsm", "autoencoder": "magnet_1"},
        "--validation_size",
        4,
    ),
    "attacked": ("tune", ROBUST | {"attack_images": 10}, "--attack_images", 2),
    "few": ("reproduce", {"few": 5}, "--few", 0),
    "local search": ("reproduce", {"local_search_images": 7}, "--local_search_images", 0),
}


@pytest.mark.parametrize(("entry_point", "values", "flag", "alone"), ALONE.values(), ids=ALONE)
def test_single_class_is_refused(entry_point, values, flag, alone, sorted_npz, capsys) -> None:
    said = rf"^{flag}: expected at least two classes among the .*received class {alone} alone"
    with pytest.raises(UsageError, match=said) as error:
        _said(capsys, entry_point, dataset=sorted_npz(), **values)
    assert "\n" not in str(error.value) and "shuffle" in str(error.value)


def test_skipped_images_are_counted_from_the_first(sorted_npz) -> None:
    values = {"preset": "smoke", "dataset": sorted_npz(), "train_size": "all", "attacks": "fgsm"}
    data = load_data(parse("attack", {**values, "test_first": "7", "test_size": "2"}))
    assert data.y_test.tolist() == [0, 1]
    assert np.unique(data.with_all_test_images.y_test).tolist() == [0, 1, 2, 3, 4]


def test_shuffled_data_is_nothing_to_speak_of(sorted_npz, capsys) -> None:
    mixed = {"y_train": np.tile(np.arange(CLASSES), TRAIN), "y_test": np.arange(40) % CLASSES}
    values = {"train_size": 50, "test_size": 20, "validation_size": 20, "attacks": "fgsm"}
    assert not _said(capsys, "attack", dataset=sorted_npz(**mixed), **values)
    assert not _said(capsys, "attack", dataset="digits", train_size=1000, test_size=200)


def test_test_images_of_the_file_that_lack_a_class(sorted_npz, capsys) -> None:
    one = sorted_npz(y_test=np.full(8, 3))
    (line,) = _said(capsys, "autoencoder", dataset=one)
    assert "--dataset: the first 8 test images lack 4 of 5 classes (0, 1, 2, 4)" in line


def test_many_missing_classes_are_a_short_line(sorted_npz, capsys) -> None:
    many = sorted_npz(y_train=np.arange(400) // 2, y_test=np.arange(200))
    (line,) = _said(capsys, "autoencoder", dataset=many, train_size=40, test_size=200)
    assert "lack 180 of 200 classes (20, 21, 22, 23, 24, 25, 26, 27, 28, 29, ...)" in line


REFUSED = {
    "single class": (["--test_size", "8"], "--test_size: expected at least two classes among"),
    "beyond the end": (
        ["--test_size", "all", "--test_first", "40"],
        "--test_first: expected less than the 40 test images of data set 'npz:",
    ),
    "too few left": (
        ["--test_size", "6", "--test_first", "35"],
        "--test_size: expected 1 to 5 (all of data set 'npz:",
    ),
    "negative": (["--test_first", "-1"], "--test_first: expected greater than or equal to 0"),
}


@pytest.mark.parametrize(("flags", "said"), REFUSED.values(), ids=REFUSED)
def test_refused_with_2_before_there_is_a_run(flags, said, sorted_npz, store, capsys) -> None:
    given = ["--preset", "smoke", "--dataset", sorted_npz(), *flags]
    assert main(["attack", *given, "--train_size", "all", "--attacks", "fgsm"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {said}") and err.count("\n") == 1
    assert not runs_of(store)


@pytest.mark.parametrize(("classes", "noted"), [(2, True), (3, True), (4, False)])
def test_too_few_classes_for_the_targeted_ratio_are_said(classes, noted, sorted_npz, capsys):
    data = {"y_train": np.arange(100) % classes, "y_test": np.arange(40) % classes}
    given = {"dataset": sorted_npz(**data), "train_size": "all", "test_size": "all"}
    load_data(parse("attack", {**given, "preset": "smoke", "attacks": "apgd_t,apgd_t_l2,pgd"}))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(lines) == noted
    for line in lines:
        assert line.startswith(
            "note: apgd_t and apgd_t_l2: the targeted difference of logits ratio needs 4 classes; "
            f"of the {classes} of "
        )
        assert line.endswith(" the difference of logits is followed")
