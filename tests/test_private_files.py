"""Files that their owner alone may read, and locks that leave none behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gauntlet.data.cache import CacheEntry
from gauntlet.data.dataset import KEYS
from gauntlet.entry_points import autoencoder
from gauntlet.private_files import create_private, private_folder, private_lock
from gauntlet.training.checkpoint import Checkpoint
from tuning.config import TuneConfig
from tuning.study import open_study

ROOT = Path(__file__).parents[1]

# Four processes of this script write one after another, or the count is too low.
COUNTER = """
import sys
from pathlib import Path
from gauntlet.private_files import private_lock
lock, count = private_lock(Path(sys.argv[1])), Path(sys.argv[2])
for _ in range(100):
    with lock:
        count.write_text(str(int(count.read_text()) + 1))
"""


def _others_may(path: Path) -> dict[str, str]:
    """Return the permissions of all below a folder, and of it, that are not the owner's alone."""
    found = {path, *path.rglob("*")}
    return {
        str(file): stat.filemode(file.stat().st_mode)
        for file in found
        if file.stat().st_mode & 0o077
    }


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_training_leaves_a_private_cache_and_no_lock(store, tiny, tmp_path, monkeypatch):
    cache = tmp_path / "deep" / "cache"
    monkeypatch.setenv("GAUNTLET_CACHE", str(cache))
    autoencoder.run(tiny("autoencoder"))
    assert (cache / "locks").is_dir() and list((cache / "locks").iterdir()) == []
    assert _others_may(tmp_path / "deep") == {}


def test_checkpoints_and_data_are_private(tmp_path):
    checkpoint = Checkpoint(tmp_path / "cache" / "checkpoints" / "it.npz", "digest", "run")
    checkpoint.save([{"loss": 1.0}], [np.zeros(3)])
    entry = CacheEntry(tmp_path / "cache", "it", None)
    entry.archive.with_name("it.npz.part").write_bytes(b"left behind, for all to read")
    entry.write(dict.fromkeys(KEYS, np.zeros((2, 2, 2), np.uint8)))
    files = {file.name for file in (tmp_path / "cache").rglob("*")}
    assert files == {"checkpoints", "it.npz", "it.sha256.json"}
    assert _others_may(tmp_path / "cache") == {}


def test_a_new_store_is_private(migrated):
    assert migrated.stat().st_mode & 0o077 == 0
    assert (migrated.parent / "mlartifacts").stat().st_mode & 0o077 == 0


def test_a_new_study_storage_is_private(store, tmp_path):
    open_study(TuneConfig(preset="smoke", trials=1, storage=f"sqlite:///{tmp_path}/studies.db"))
    assert (tmp_path / "studies.db").stat().st_mode & 0o077 == 0


def test_what_is_there_keeps_its_permissions(tmp_path):
    (tmp_path / "cache").mkdir(0o755)
    (tmp_path / "shared.db").touch(0o644)
    private_folder(tmp_path / "cache")
    create_private(tmp_path / "shared.db")
    assert _others_may(tmp_path).keys() >= {str(tmp_path / "cache"), str(tmp_path / "shared.db")}


def test_locks_exclude_each_other_though_their_file_goes(tmp_path):
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", COUNTER, tmp_path / "lock", tmp_path / "count"]
    started = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [process.wait(120) for process in started] == [0] * 4
    assert (tmp_path / "count").read_text() == "400"
    assert not (tmp_path / "lock").exists()


def test_a_file_of_others_is_not_removed(tmp_path):
    lock = private_lock(tmp_path / "lock")
    lock.acquire()
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").touch()  # another process made it anew
    lock.release()
    assert (tmp_path / "lock").exists()
