"""Locks that end with the process that holds them, even if it is killed.

A trial that says RUNNING while its lock is free belongs to a dead worker. This replaces Optuna's
heartbeat, which one would have to wait for and might miss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from filelock import Timeout
from sqlalchemy import Engine, text

from gauntlet.private_files import private_lock
from gauntlet.tracking.store import lock_path


class Lock(Protocol):
    """A lock that is held."""

    def release(self) -> None:
        """Let go."""


class Locks(Protocol):
    """Named locks of one study's storage."""

    def take(self, name: str, wait: bool = False) -> Lock | None:
        """Return the lock, held; None if another process (or thread) holds it and `wait` is off."""


@dataclass(frozen=True)
class FileLocks:
    """For SQLite, which lies on one machine: locks of the operating system."""

    storage: str

    def take(self, name: str, wait: bool = False) -> Lock | None:
        """Return the lock, held, or None."""
        lock = private_lock(lock_path(f"{self.storage} {name}"), timeout=-1 if wait else 0)
        with suppress(Timeout):
            lock.acquire()
            return lock
        return None


@dataclass(frozen=True)
class PostgresLocks:
    """For workers on many machines: advisory locks, which end with their connection."""

    engine: Engine

    def take(self, name: str, wait: bool = False) -> Lock | None:
        """Return the lock, held on a connection of its own, or None."""
        digest = hashlib.sha256(name.encode()).digest()[:8]
        key = int.from_bytes(digest, "big", signed=True)
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if wait:
            connection.execute(text("select pg_advisory_lock(:key)"), {"key": key})
        elif not connection.scalar(text("select pg_try_advisory_lock(:key)"), {"key": key}):
            connection.close()
            return None
        return _Session(connection)


@dataclass(frozen=True)
class _Session:
    connection: Any

    def release(self) -> None:
        self.connection.close()


@contextmanager
def held(locks: Locks, name: str) -> Iterator[None]:
    """Hold a lock for the block; wait for it."""
    lock = locks.take(name, wait=True)
    assert lock is not None  # noqa: S101 -- waited for
    try:
        yield
    finally:
        lock.release()
