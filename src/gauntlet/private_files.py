"""Files and folders that nobody but their owner can read, and locks that leave no file behind.

What is there already keeps its permissions: whoever made it chose them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from filelock import FileLock

FOLDER, FILE = 0o700, 0o600


def private_folder(folder: Path) -> Path:
    """Create a folder, and what is missing above it; return it.

    Raises:
        OSError: it cannot be created.
    """
    if not folder.is_dir():
        if not folder.parent.exists():
            private_folder(folder.parent)
        folder.mkdir(FOLDER, exist_ok=True)
    return folder


def create_private(file: Path) -> None:
    """Create an empty file if there is none. Who uses it says what is wrong if that fails."""
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE))


def open_private(file: Path) -> IO[bytes]:
    """Open a new file for writing, in the place of an old one.

    Raises:
        OSError: it cannot be written.
    """
    file.unlink(missing_ok=True)
    return open(file, "wb", opener=lambda path, flags: os.open(path, flags, FILE))


def private_lock(file: Path, timeout: float = -1) -> FileLock:
    """Return a lock between processes whose file is removed when it is let go.

    Args:
        file: in a folder that is there.
        timeout: seconds to wait for it, -1 for ever.
    """
    return _RemovedLock(file, timeout=timeout, mode=FILE)


class _RemovedLock(FileLock):
    """A file lock that removes its file when it is let go, while it still holds it.

    Another process may have opened the file before it was removed. It then locks a file without a
    name, while a third process creates the file anew and locks that. So whoever gets the lock
    checks that its file still has its name, and tries again if not.
    """

    def _acquire(self) -> None:
        super()._acquire()
        # Where a file system knows no locks, filelock has made another class of this.
        if type(self) is _RemovedLock and self.is_locked and not self._has_name():
            super()._release()  # whoever waits tries again

    def _release(self) -> None:
        if self._has_name():
            with suppress(OSError):
                Path(self.lock_file).unlink()
        super()._release()

    def _has_name(self) -> bool:
        descriptor = self._context.lock_file_fd
        with suppress(OSError):
            return descriptor is not None and os.path.samestat(
                os.fstat(descriptor), Path(self.lock_file).stat()
            )
        return False
