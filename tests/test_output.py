"""Output that nobody can read or take, and folders that cannot be written: no run fails by it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gauntlet.errors import disk_fault
from gauntlet.training.checkpoint import Checkpoint

SAYS = """
import sys
from gauntlet.output import never_fail

never_fail()
from gauntlet.pipeline.console import progress, say, show_table

say("0.5 ± 0.1 → ½ 漢")
show_table("τ — table", ["ε", "β"], [["0.5 ± 0.1", "…"], ["1", "2"]])
with progress("für", 1) as advance:
    advance("done")
for _ in range(2000):
    say("much")
sys.stderr.write("ε\\n")
sys.exit(7)
"""
COMMAND = [sys.executable, "-c", SAYS.encode("ascii", "backslashreplace").decode("ascii")]


def _environment(**changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("LANG", "LC_ALL", "PYTHONUTF8")}
    return kept | changes


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "utf-16"},
        {"LC_ALL": "POSIX"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
def test_output_that_is_not_utf_8_fails_nothing(environment):
    done = subprocess.run(COMMAND, env=_environment(**environment), capture_output=True, timeout=60)
    assert done.returncode == 7 and b"Traceback" not in done.stderr


def test_plain_characters_stand_for_others_and_columns_stay_straight():
    environment = _environment(PYTHONIOENCODING="ascii")
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert lines[0] == "0.5 +/- 0.1 -> ? ?" and done.stderr == "eps\n"
    table = [line for line in lines if line.startswith(("|", "+"))]
    assert len({len(line) for line in table}) == 1 and "| 0.5 +/- 0.1 |" in table[3]


@pytest.mark.parametrize(
    "shell",
    [
        '"$@" | head -1 >/dev/null',
        '"$@" >&-',
        '"$@" >&- 2>&-',
        '"$@" <&- >&- 2>&-',
        '"$@" >/dev/full',
        '"$@" 2>/dev/full >&2',
        '"$@" 2>&1 | true',
    ],
)
def test_output_that_nobody_takes_fails_nothing(shell):
    script = f"set -o pipefail; {shell}"
    done = subprocess.run(["bash", "-c", script, "bash", *COMMAND], timeout=60, capture_output=True)
    assert done.returncode == 7 and b"Traceback" not in done.stderr


def test_help_may_be_cut_off():
    script = '"$@" -m gauntlet attack --help | head -1; exit ${PIPESTATUS[0]}'
    command = ["bash", "-c", script, "bash", sys.executable]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("usage: ")


FOLDER = """
import os, sys
from gauntlet.data.cache import default_folder
from gauntlet.tracking.store import lock_path

if sys.argv[1:]:  # only now: another user may be unable to read this Python
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
folder = default_folder()
assert folder == default_folder()
lock_path("key").touch()
if not sys.argv[1:]:
    import matplotlib.font_manager
print(folder)
"""


@pytest.mark.parametrize(("home", "user"), [("/dev/null/home", []), ("/nonexistent", ["4242"])])
def test_home_that_cannot_be_written_means_a_temporary_cache(home, user):
    if user and os.getuid() != 0:
        pytest.skip("only root may become another user")
    hidden = ("GAUNTLET_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")
    keep = {k: v for k, v in os.environ.items() if k not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", FOLDER, *user],
        env=keep | {"HOME": home, "TMPDIR": "/tmp"},  # noqa: S108
        capture_output=True,
        text=True,
        timeout=120,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip())
    assert done.stderr.count("\n") == 1 and f"the cache is {folder}" in done.stderr
    assert folder.stat().st_mode & 0o777 == 0o700


def test_checkpoint_that_cannot_be_written_is_a_warning_once(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    checkpoint = Checkpoint(tmp_path / "file" / "c.npz", "training", "run")
    for _ in range(3):
        checkpoint.save([], [])
    checkpoint.delete()
    first, *others = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "the training goes on" in first.getMessage() and len(others) == 1  # of `delete`


def test_cache_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    changes = {
        "GAUNTLET_CACHE": str(tmp_path / "file" / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/m.db",
    }
    command = [sys.executable, "-m", "gauntlet", "autoencoder", "--preset=smoke"]
    done = subprocess.run(
        command, env=os.environ | changes, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {tmp_path}/file/cache") and "(Not a dir" in done.stderr


def test_only_faults_of_disks_are_said_so():
    assert disk_fault(OSError(28, "No space left on device"), "/tmp").startswith("no room for ")  # noqa: S108
    assert disk_fault(FileNotFoundError(2, "No such file or directory", "x")) is None
