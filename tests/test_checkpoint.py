"""What is read back from a checkpoint, and what is no checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.training.checkpoint import Checkpoint, Saved

ARRAYS = [
    np.array(7, np.int64),
    np.array([1, 2**32 - 1], np.uint32),
    np.zeros((0, 3), np.float32),
    *(np.full((2, 2), i, np.float32) for i in range(12)),
]
HISTORY = [{"train/loss": 0.1}, {"train/loss": 1 / 3, "val/loss": 5e-324}]
TRAINING = "d" * 64


def _checkpoint(folder: Path, training: str = TRAINING, run_id: str = "new") -> Checkpoint:
    return Checkpoint(folder / "checkpoints" / "name.npz", training, run_id)


@pytest.fixture
def written(tmp_path) -> Path:
    checkpoint = _checkpoint(tmp_path, run_id="old")
    checkpoint.save([], [])
    checkpoint.save(HISTORY, ARRAYS)
    return checkpoint.path


def test_what_was_saved_last_is_found(written, tmp_path) -> None:
    run_id, history, arrays = _checkpoint(tmp_path).found
    assert (run_id, history) == ("old", HISTORY)
    for received, saved in zip(arrays, ARRAYS, strict=True):
        assert (received.dtype, received.shape) == (saved.dtype, saved.shape)
        assert np.array_equal(received, saved)
    assert list(written.parent.iterdir()) == [written]


def test_found_is_what_was_there_first(written, tmp_path) -> None:
    checkpoint = _checkpoint(tmp_path)
    assert isinstance(checkpoint.found, Saved)
    checkpoint.save(HISTORY[:1], ARRAYS[:1])
    assert checkpoint.found.history == HISTORY


def test_no_file_is_no_find_and_no_warning(tmp_path, caplog) -> None:
    assert _checkpoint(tmp_path).found is None
    assert not caplog.records


def test_deleted_checkpoint_is_gone_and_may_be_deleted_again(written, tmp_path) -> None:
    for _ in range(2):
        _checkpoint(tmp_path).delete()
        assert not written.exists()


def _warning(caplog) -> str:
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    return record.getMessage()


def test_checkpoint_of_another_training_is_ignored(written, tmp_path, caplog) -> None:
    assert _checkpoint(tmp_path, training="e" * 64).found is None
    assert _warning(caplog) == (
        f"checkpoint {written} ignored, the training starts anew: it belongs to another training"
    )


@given(data=st.data())
def test_damaged_checkpoint_is_ignored(data, tmp_path_factory) -> None:
    checkpoint = _checkpoint(tmp_path_factory.mktemp("damaged"))
    checkpoint.save(HISTORY, ARRAYS)
    content = bytearray(checkpoint.path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    checkpoint.path.write_bytes(content)
    found = checkpoint.found
    # Some bytes of a zip archive mean nothing, dates for instance: then all is as it was.
    assert found is None or (found.run_id, found.history) == ("new", HISTORY)
    if found is not None:
        assert all(map(np.array_equal, found.arrays, ARRAYS))


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_truncated_checkpoint_is_ignored(written, tmp_path, caplog, size) -> None:
    written.write_bytes(written.read_bytes()[:size])
    assert _checkpoint(tmp_path).found is None
    assert _warning(caplog).startswith(f"checkpoint {written} ignored, the training starts anew: ")


def test_archive_without_digest_or_with_pickles_is_ignored(written, tmp_path, caplog) -> None:
    np.savez(written, about=np.zeros(3, np.uint8))
    assert _checkpoint(tmp_path).found is None
    np.savez(written, about=np.array([{}], object))
    assert _checkpoint(tmp_path).found is None
    assert "SHA-256" in caplog.messages[0] and "allow_pickle" in caplog.messages[1]
