"""Data sets from the network: from the cache, else from the first source that can be trusted."""

from __future__ import annotations

import http.client
import logging
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import filelock

from gauntlet.data import cache
from gauntlet.data.arrays import Arrays, describe, to_dataset, verify
from gauntlet.data.cache import CacheEntry
from gauntlet.data.dataset import Dataset
from gauntlet.errors import DataError
from gauntlet.private_files import private_folder, private_lock

_log = logging.getLogger(__name__)
_LOCK_SECONDS = 900.0  # more than the sources may take together
_FETCH_ERRORS = (OSError, ValueError, http.client.HTTPException, subprocess.SubprocessError)


@dataclass(frozen=True)
class Source:
    """A place to fetch from: its name in messages, and a function that returns the arrays."""

    name: str
    fetch: Callable[[], Arrays]


@dataclass(frozen=True)
class RemoteDataset:
    """Where a data set comes from and what it must be.

    Attributes:
        name: name of the data set.
        sources: tried in this order.
        digests: published SHA-256 of each array as an uncompressed IDX file, by key. None if
            there are none; then each source has to verify its own download.
        n_classes: number of classes.
    """

    name: str
    sources: tuple[Source, ...]
    digests: Mapping[str, str] | None
    n_classes: int


def load_remote(remote: RemoteDataset) -> Dataset:
    """Return the data set from the cache, or fetch it and cache it.

    Raises:
        DataError: no source could be trusted, or the cache folder cannot be written.
    """
    entry = CacheEntry(cache.default_folder(), remote.name, remote.digests)
    try:
        arrays = entry.read()
    except (OSError, ValueError):
        # The reading under the lock says what is wrong, if it still is.
        arrays = _fetch_once(remote, entry)
    return to_dataset(remote.name, arrays, remote.n_classes)


def _fetch_once(remote: RemoteDataset, entry: CacheEntry) -> Arrays:
    """Fetch under a lock, so that one of several processes downloads and the others read."""
    lock = entry.folder / f"{entry.name}.lock"
    try:
        private_folder(entry.folder)
        with private_lock(lock, timeout=_LOCK_SECONDS):
            return _read_or_fetch(remote, entry)
    except filelock.Timeout as error:
        raise DataError(
            f"another process has held {lock} for {_LOCK_SECONDS:.0f} s: end it, then try again."
        ) from error
    except OSError as error:
        raise DataError(
            f"cannot write the cache folder {entry.folder} ({describe(error)}): "
            "set GAUNTLET_CACHE to a folder that can be written."
        ) from error


def _read_or_fetch(remote: RemoteDataset, entry: CacheEntry) -> Arrays:
    try:
        return entry.read()
    except FileNotFoundError:
        reason = f"no file {entry.archive}"
    except (OSError, ValueError) as error:
        reason = f"{entry.archive} is damaged: {describe(error)}"
        _log.warning("cache of %s: %s; fetching it anew", remote.name, reason)
    arrays = _first_trusted(remote, entry, reason)
    entry.write(arrays)
    return arrays


def _first_trusted(remote: RemoteDataset, entry: CacheEntry, cache_reason: str) -> Arrays:
    failures = [f"cache: {cache_reason}"]
    for source in remote.sources:
        _log.info("fetching %s from %s", remote.name, source.name)
        try:
            arrays = source.fetch()
            return arrays if remote.digests is None else verify(arrays, remote.digests)
        except _FETCH_ERRORS as error:
            _log.warning("%s: %s failed: %s", remote.name, source.name, describe(error))
            failures.append(f"{source.name}: {describe(error)}")
    raise DataError(
        f"no source of data set '{remote.name}' can be used; {'; '.join(failures)}. "
        f"{_remedy(remote, entry)}"
    )


def _remedy(remote: RemoteDataset, entry: CacheEntry) -> str:
    """Say what the user can do. Only a file with published digests can be put there by hand."""
    ways = [f"set GAUNTLET_{remote.name.upper()}_MIRROR to a mirror that can be reached"]
    if remote.digests is not None:
        ways.append(f"put {entry.archive.name} as Keras distributes it into {entry.folder}")
    return f"Connect to the network, {', '.join(ways)}, or name a file of your own as npz:PATH."
