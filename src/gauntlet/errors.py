"""The few errors that the command line turns into one clear line instead of a traceback."""

from __future__ import annotations

import difflib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gauntlet.masking import mask


class GauntletError(Exception):
    """A failure that the user can mend; its text is one complete sentence. Exit code 1."""

    def __init__(self, text: str) -> None:
        super().__init__(mask(text))  # it is printed, and may be logged where others read


class UsageError(GauntletError):
    """A wrong flag or value, found before anything is computed. Exit code 2."""


class DataError(GauntletError):
    """A data set that cannot be fetched, read or trusted. Exit code 1."""


class IncompleteError(GauntletError):
    """Some of many computations failed; the others are done and written down."""


class DivergenceError(GauntletError):
    """A training whose loss became NaN or infinite. Exit code 1."""


class TrainingStopped(Exception):  # noqa: N818 -- as KeyboardInterrupt, nothing is wrong
    """A training that was given up because others do better; its run ends as KILLED."""


class TrackingError(GauntletError):
    """A tracking store that cannot be reached, written or trusted. Exit code 1."""


class DamagedRunError(GauntletError):
    """A finished run whose record is incomplete or was changed; its text ends without a stop."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_ACCESS = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EIO,
)


def disk_fault(error: OSError, *places: str | Path) -> str | None:
    """Say which place cannot be written, and what to do; None: the error is no fault of a disk.

    Args:
        error: what a file operation raised.
        places: where it may have written, for an error that names no file.
    """
    number, reason = error.errno, error.strerror
    if isinstance(error, shutil.Error):  # of several files, without a number
        number = next((n for n in (*_NO_ROOM, *_NO_ACCESS) if os.strerror(n) in str(error)), None)
        reason = os.strerror(number) if number else None
    if number in _NO_ROOM:
        # Whoever copies is told the name of the source.
        names = [name for name in (error.filename2, error.filename) if isinstance(name, str)]
        place = _fullest(*names, *places, tempfile.gettempdir(), Path.cwd())
        return f"no room for {place} ({reason}): make some, then give the same command again."
    if number in _NO_ACCESS:
        place = error.filename or next(iter(places), Path.cwd())
        return (
            f"{place} cannot be written or read ({reason}): choose a folder that can be, or "
            "change its permissions."
        )
    return None


def _fullest(*places: str | Path) -> str | Path:
    return min(places, key=lambda place: shutil.disk_usage(_nearest(Path(place))).free)


def _nearest(path: Path) -> Path:
    return next(there for there in (path, *path.absolute().parents) if there.exists())


def unknown_name(what: str, received: str, valid: Iterable[str]) -> str:
    """Return `unknown <what> '<received>'` with the nearest and all valid names."""
    names = list(valid)
    near = difflib.get_close_matches(received, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"unknown {what} {received!r}.{hint} Valid: {', '.join(names)}."
