"""Downloads over HTTP: one npz archive or four gzipped IDX files."""

from __future__ import annotations

import gzip
import hashlib
import io
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gauntlet.data import idx
from gauntlet.data.arrays import Arrays, read_npz
from gauntlet.data.dataset import KEYS

# Many networks drop packets to anything but a package index. So give up soon and try the next
# source.
_SILENCE_SECONDS = 5.0
_DOWNLOAD_SECONDS = 300.0
_MAX_BYTES = 64 * 2**20  # twice the largest file; a broken mirror must not fill the memory
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class IdxFile:
    """One gzipped IDX file: the array it holds, its name on the mirror, MD5 of the gzip file."""

    key: str
    name: str
    md5: str


def fetch_npz(url: str) -> dict[str, NDArray[np.uint8]]:
    """Download an npz archive; the caller verifies its arrays.

    Raises:
        OSError, http.client.HTTPException: the server cannot be reached or refuses.
        ValueError: the address is malformed, or the body is no npz archive.
    """
    return read_npz(io.BytesIO(download(url)), KEYS)


def fetch_idx(base_url: str, files: Iterable[IdxFile]) -> Arrays:
    """Download gzipped IDX files and check each against its MD5.

    Raises:
        OSError, http.client.HTTPException: the server cannot be reached or refuses.
        ValueError: the address is malformed, or a body has another MD5 or is no IDX file.
    """
    return {file.key: _fetch_idx_file(base_url, file) for file in files}


def download(url: str) -> bytes:
    """Return the body at an http(s) address: at most 64 MiB, within 300 s.

    Raises:
        OSError, http.client.HTTPException: the server cannot be reached, refuses or stalls.
        ValueError: the address is malformed, or the body is longer.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"expected an address with http:// or https://, received '{url}'")
    deadline = time.monotonic() + _DOWNLOAD_SECONDS
    body = bytearray()
    with urllib.request.urlopen(url, timeout=_SILENCE_SECONDS) as response:  # noqa: S310
        while chunk := response.read(_CHUNK_BYTES):
            body += chunk
            if len(body) > _MAX_BYTES:
                raise ValueError(f"{url} is longer than {_MAX_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} took more than {_DOWNLOAD_SECONDS:.0f} s")
    return bytes(body)


def _fetch_idx_file(base_url: str, file: IdxFile) -> NDArray[np.uint8]:
    content = download(f"{base_url.rstrip('/')}/{file.name}")
    received = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if received != file.md5:
        raise ValueError(f"{file.name}: expected MD5 {file.md5}, received {received}")
    return idx.decode(_inflated(file.name, content))


def _inflated(name: str, content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        inflated = stream.read(_MAX_BYTES + 1)
    if len(inflated) > _MAX_BYTES:
        raise ValueError(f"{name} inflates to more than {_MAX_BYTES} bytes")
    return inflated
