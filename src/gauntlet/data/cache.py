"""The cache folder: one compressed npz per data set, verified at every reading."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from gauntlet.data.arrays import Arrays, digests_of, read_npz, verify
from gauntlet.data.dataset import KEYS
from gauntlet.private_files import open_private

_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """Return `GAUNTLET_CACHE`, else `gauntlet` in the user's cache folder, else a temporary one."""
    chosen = os.environ.get("GAUNTLET_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gauntlet"
    except RuntimeError:  # a user without a name or a home
        return _temporary_folder("there is no home")
    return folder if _can_be_written(folder) else _temporary_folder(f"{folder} cannot be written")


def _can_be_written(folder: Path) -> bool:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _temporary_folder(reason: str) -> Path:
    """Return a temporary folder that belongs to this user, the same one each time.

    A warning names it, and the environment hands it to child processes.
    """
    folder = Path(tempfile.gettempdir(), f"gauntlet-{os.getuid()}")
    folder.mkdir(0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        folder = Path(tempfile.mkdtemp(prefix="gauntlet-"))
    _log.warning("%s: the cache is %s; set GAUNTLET_CACHE to choose another", reason, folder)
    os.environ["GAUNTLET_CACHE"] = str(folder)
    os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))
    return folder


@dataclass(frozen=True)
class CacheEntry:
    """One data set in the cache.

    Attributes:
        folder: the cache folder; `write` creates it.
        name: name of the data set, which is the name of its file.
        digests: SHA-256 by key. None if nobody has published them; then the digests of the first
            fetch are recorded beside the archive.
    """

    folder: Path
    name: str
    digests: Mapping[str, str] | None

    @property
    def archive(self) -> Path:
        """The npz, with the keys and dtypes of Keras's `mnist.npz`."""
        return self.folder / f"{self.name}.npz"

    @property
    def record(self) -> Path:
        """The recorded digests as JSON, by key; there is no such file if they are published."""
        return self.folder / f"{self.name}.sha256.json"

    def read(self) -> Arrays:
        """Return the cached arrays, every pixel and label verified.

        Raises:
            FileNotFoundError: nothing is cached.
            OSError, ValueError: the file is damaged, incomplete, unreadable or of another data set.
        """
        arrays = read_npz(self.archive, KEYS)
        return verify(arrays, self.digests or self._recorded())

    def write(self, arrays: Arrays) -> None:
        """Replace the entry; the caller holds its lock. Readers never see a part of an archive.

        Raises:
            OSError: the folder cannot be written.
        """
        contents = {key: arrays[key] for key in KEYS}
        # The two files are replaced one after the other. A process that reads the new archive with
        # the old record finds the digests wrong, waits for the lock and reads again.
        replace_file(
            self.archive, lambda file: np.savez_compressed(file, allow_pickle=False, **contents)
        )
        if self.digests is None:
            text = json.dumps(digests_of(arrays), indent=1)
            replace_file(self.record, lambda file: file.write(text.encode()))

    def _recorded(self) -> dict[str, str]:
        if not self.record.exists():
            raise ValueError(f"no digests in {self.record}")
        recorded = json.loads(self.record.read_bytes())
        if not isinstance(recorded, dict) or not set(KEYS) <= set(recorded):
            raise ValueError(f"damaged digests in {self.record}")
        return recorded


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside `path`, then rename it to `path`: readers never see a part.

    The caller holds the lock, so nobody else writes. If the disk is full, the part is removed.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with open_private(part) as file:
            write(file)
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()  # a part of a file would keep the disk full
        raise
