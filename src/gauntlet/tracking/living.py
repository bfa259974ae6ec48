"""Which runs a living process works in; those of processes that were killed are ended.

Each process holds a lock on a file for each run that it has open. The system lets go of the lock
however the process ends, so a file that nobody holds tells of a run that nobody works in. Its name
says of which store and by which machine; other machines, users and caches have files of their own,
and what has no file here is never touched.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import mlflow
from filelock import FileLock, Timeout
from mlflow.exceptions import MlflowException

from gauntlet.data.cache import default_folder
from gauntlet.errors import TrackingError
from gauntlet.private_files import FILE, private_folder
from gauntlet.tracking import names
from gauntlet.tracking.store import tracking_uri

_log = logging.getLogger(__name__)
_held: dict[str, tuple[FileLock, Path]] = {}


def hold(run_id: str) -> None:
    """Show that this process works in a run, until `let_go` or its death."""
    path = _folder() / "-".join([_digest(tracking_uri()), *_machine(), run_id, str(os.getpid())])
    # Locked before it has its name: nobody ever finds it free.
    lock = FileLock(path.with_suffix(".new"), mode=FILE, thread_local=False)
    with suppress(OSError):  # at worst, the run stays RUNNING after a kill -9
        private_folder(path.parent)
        lock.acquire()
        Path(lock.lock_file).rename(path)
        _held[run_id] = lock, path


def let_go(run_id: str, ended: bool) -> None:
    """Stop showing it; a run that could not be ended is left to the next command."""
    if (held := _held.pop(run_id, None)) is not None:
        lock, path = held
        with suppress(OSError):
            if ended:
                path.unlink()
            lock.release()


def end_dead_runs() -> None:
    """End the runs of this store that killed processes of this machine left RUNNING."""
    files: dict[str, list[Path]] = {}
    for path in _folder().glob(f"{_digest(tracking_uri())}-*"):
        store, name, boot, run_id, process = path.name.split("-")
        del store, process
        if name == _machine()[0] or boot == _machine()[1]:
            files.setdefault(run_id, []).append(path)
    for run_id, paths in files.items():
        with ExitStack() as locks, suppress(Timeout, OSError, TrackingError):
            for path in paths:
                locks.enter_context(FileLock(path, blocking=False))
            _end(run_id)
            for path in paths:
                path.unlink(missing_ok=True)


def _end(run_id: str) -> None:
    """End a run whose lock this process holds; its own process may have done so just before.

    A study ends the runs of its trials: it knows how the trials ended.
    """
    client = mlflow.MlflowClient()
    with suppress(MlflowException):  # deleted
        run = client.get_run(run_id)
        if run.info.status == "RUNNING" and names.TRIAL not in run.data.tags:
            client.set_terminated(run_id, "KILLED")
            _log.info(
                "run %s ('%s') was left RUNNING by a process that is dead: it is KILLED now",
                run_id,
                run.info.run_name,
            )


def _folder() -> Path:
    return default_folder() / "open_runs"


@functools.cache
def _machine() -> tuple[str, str]:
    """Return what tells this machine from others: by name, for after a reboot, and by its kernel.

    A container that is made anew has another name, on the same kernel.
    """
    name = socket.gethostname() + _content("/etc/machine-id")
    return _digest(name), _digest(_content("/proc/sys/kernel/random/boot_id") or name)


def _content(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="ascii")
    return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
