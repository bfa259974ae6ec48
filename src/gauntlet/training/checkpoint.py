"""An unfinished training on disk: all that another process needs to end it with the same bits.

A checkpoint is one npz file: the arrays, what they are of (JSON as bytes), and a SHA-256 of both.
It is replaced as a whole, so a process that is killed while it writes leaves the last one intact.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.arrays import Array
from gauntlet.data.arrays import describe, read_npz
from gauntlet.data.cache import replace_file
from gauntlet.private_files import private_folder

_log = logging.getLogger(__name__)


class Saved(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        run_id: the run that wrote it.
        history: the metrics of epochs 1, 2, ... so far.
        arrays: values of the training's variables, in the order of `Progress`.
    """

    run_id: str
    history: list[dict[str, float]]
    arrays: list[Array]


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of one training.

    Attributes:
        path: the file; only the holder of the training's lock reads or writes it.
        training: digest of the training's fingerprint; a file with another one is ignored.
        run_id: the run that trains now.
    """

    path: Path
    training: str
    run_id: str

    @cached_property
    def found(self) -> Saved | None:
        """What an interrupted process left; None if there is no file, or a damaged or foreign one.

        It is read once.
        """
        try:
            return self._read()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("checkpoint %s ignored, the training starts anew: %s", self.path, error)
            return None

    def save(self, history: Sequence[Mapping[str, float]], arrays: Sequence[Array]) -> None:
        """Replace the file; a reader finds the old state or the new one, never a part.

        If the file cannot be written, the training goes on without it, and one warning says so.
        """
        try:
            self._write(history, arrays)
        except OSError as error:
            _warn_once(self.path, describe(error))

    def _write(self, history: Sequence[Mapping[str, float]], arrays: Sequence[Array]) -> None:
        about = {"training": self.training, "run_id": self.run_id, "history": list(history)}
        contents = {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)}
        contents |= {str(i): array for i, array in enumerate(arrays)}
        contents["sha256"] = _sha256(contents)
        private_folder(self.path.parent)
        replace_file(self.path, lambda file: np.savez(file, allow_pickle=False, **contents))

    def delete(self) -> None:
        """Remove the file, if there is one; if that fails, a warning says so."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("checkpoint %s cannot be removed: %s", self.path, describe(error))

    def _read(self) -> Saved:
        # Nothing in it is compressed, so honest arrays take no more memory than the file has bytes.
        # But `read_npz` counts at least four bytes per number, and some numbers have one.
        contents = read_npz(self.path, most_bytes=4 * self.path.stat().st_size)
        recorded = contents.pop("sha256", None)
        if recorded is None or not np.array_equal(recorded, _sha256(contents)):
            raise ValueError("its SHA-256 differs from the recorded one")
        about = json.loads(contents.pop("about").tobytes())
        if about["training"] != self.training:
            raise ValueError("it belongs to another training")
        return Saved(about["run_id"], about["history"], list(contents.values()))


@cache
def _warn_once(path: Path, reason: str) -> None:
    _log.warning(
        "checkpoint %s cannot be written (%s): the training goes on, but an interrupted one would "
        "start anew",
        path,
        reason,
    )


def _sha256(contents: Mapping[str, Array]) -> NDArray[np.uint8]:
    """Return the SHA-256 of the names, types, shapes and bytes of all arrays, `(32,)`."""
    digest = hashlib.sha256()
    for name, array in contents.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)
