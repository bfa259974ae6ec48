"""Files that claim or inflate to more than they are: refused before the memory is taken."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gauntlet.data import mirrors
from gauntlet.data.arrays import MOST_BYTES, read_npz
from gauntlet.data.dataset import KEYS
from gauntlet.data.mirrors import IdxFile, fetch_idx
from gauntlet.data.registry import load
from gauntlet.errors import UsageError

MEBIBYTE = 2**20
GOOD = {
    "x_train": np.zeros((4, 3, 3), np.uint8),
    "y_train": np.arange(4) % 2,
    "x_test": np.zeros((2, 3, 3), np.uint8),
    "y_test": np.arange(2),
}


def _npy(shape: tuple[int, ...], descr: str, content: bytes, version: bytes = b"\1\0") -> bytes:
    """Return an npy file with a header of our own."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-len(text) % 64) + "\n"
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode() + content


def _archive(path: Path, **members: bytes) -> Path:
    """Write a valid data set as npz, with some members replaced by raw bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in GOOD.items():
            stream = io.BytesIO()
            np.save(stream, array)
            archive.writestr(f"{key}.npy", members.pop(key, stream.getvalue()))
        for key, content in members.items():
            archive.writestr(f"{key}.npy", content)
    return path


def _zeros(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    size = int(np.prod(shape)) * np.dtype(descr).itemsize
    return _npy(shape, descr, bytes(size))


BOMB = (64 * MEBIBYTE // 9 // 4, 3, 3)
"""Of 16 MiB, and 64 as float32."""

CLAIMS: dict[str, dict[str, bytes]] = {
    "more than there is": {"x_train": _npy((2**36, 3, 3), "|u1", b"")},
    "many labels": {"y_train": _npy((2**40,), "<i8", b"")},
    "long strings": {"y_test": _npy((2,), f"<U{2**30}", b"")},
    "less than it holds": {"x_test": _npy((2, 3, 3), "|u1", bytes(64 * MEBIBYTE))},
    "an endless header": {"x_train": b"\x93NUMPY\2\0" + struct.pack("<I", 2**31) + b" " * 2**24},
    "version 2": {"x_train": _npy((2**36, 3, 3), "|u1", b"", b"\2\0")},
    "version 9": {"x_train": _npy((4, 3, 3), "|u1", bytes(36), b"\x09\0")},
}


@pytest.mark.parametrize("members", CLAIMS.values(), ids=CLAIMS)
def test_claim_is_refused_in_one_line(members: dict[str, bytes], tmp_path: Path) -> None:
    path = _archive(tmp_path / "own.npz", **members)
    with pytest.raises(UsageError) as error:
        load(f"npz:{path}")
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def _peak(path: Path) -> tuple[int, str]:
    """Return what reading a data set adds to a process's memory, in MiB, and what is said."""
    script = (
        "import resource, sys\n"
        "from gauntlet.data import registry\n"
        "from gauntlet.errors import UsageError\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before, said = peak(), ''\n"
        "try: registry.load('npz:' + sys.argv[1])\n"
        "except UsageError as error: said = str(error)\n"
        "print(peak() - before, said)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )
    added, _, said = done.stdout.strip().partition(" ")
    return int(added), said


def test_keys_that_nobody_asked_for_are_not_read(tmp_path: Path) -> None:
    path = _archive(tmp_path / "own.npz", other=_zeros((256 * MEBIBYTE,)))
    assert path.stat().st_size < MEBIBYTE
    added, said = _peak(path)
    assert added < 64 and said == ""


def test_a_small_file_that_inflates_beyond_the_bound_takes_no_memory(tmp_path: Path) -> None:
    # As it is used, in float32, it would take four times as much.
    n_images = MOST_BYTES // 4 // (1024 * 1024) + 1
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x_train.npy", "w") as member:
            member.write(_npy((n_images, 1024, 1024), "|u1", b""))
            for _ in range(n_images):
                member.write(bytes(1024 * 1024))
        for key in KEYS[1:]:
            stream = io.BytesIO()
            np.save(stream, GOOD[key])
            archive.writestr(f"{key}.npy", stream.getvalue())
    assert path.stat().st_size < MEBIBYTE
    added, said = _peak(path)
    assert added < 64
    assert "claim 2.0 GiB of memory, expected at most 2.0" in said and "fewer or smaller" in said


def test_member_longer_than_its_directory_says_is_not_inflated(tmp_path: Path) -> None:
    path = _archive(tmp_path / "own.npz", x_train=_zeros(BOMB))
    honest = _npy((4, 3, 3), "|u1", bytes(36))
    content = bytearray(path.read_bytes())
    claimed, lie = len(_zeros(BOMB)), len(honest)
    # The length stands in the member's own header and in the directory.
    content = content.replace(struct.pack("<I", claimed), struct.pack("<I", lie))
    path.write_bytes(content)
    with pytest.raises(UsageError):
        load(f"npz:{path}")


def test_other_compressions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x_train.npy", _zeros((MEBIBYTE,)))
    with pytest.raises(ValueError, match="expected a stored or deflated array"):
        read_npz(path)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read_as_numpy_reads_it(write: Any, tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.eye(3, 4)),
        "c": np.array(5),
        "d": np.zeros((0, 7)),
        "é": np.array(["x", "yz"]),
    }
    write(tmp_path / "own.npz", **arrays)
    for keys in (None, ("b", "missing")):
        read = read_npz(tmp_path / "own.npz", keys)
        assert list(read) == (list(arrays) if keys is None else ["b"])
        for key, array in read.items():
            assert array.dtype == arrays[key].dtype and np.array_equal(array, arrays[key])


def test_download_that_inflates_without_end_is_refused(monkeypatch) -> None:
    bomb = gzip.compress(bytes(80 * MEBIBYTE))
    assert len(bomb) < MEBIBYTE
    monkeypatch.setattr(mirrors, "download", lambda _: bomb)
    file = IdxFile("x_train", "a.gz", hashlib.md5(bomb, usedforsecurity=False).hexdigest())
    with pytest.raises(ValueError, match=r"a\.gz inflates to more than 67108864 bytes"):
        fetch_idx("http://127.0.0.1:9", [file])
