"""The IDX format of the MNIST family: a big-endian header, then the bytes."""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

_UNSIGNED_BYTE = 8


def header(shape: tuple[int, ...]) -> bytes:
    """Return the header of an IDX file of unsigned bytes with this shape."""
    return struct.pack(f">HBB{len(shape)}I", 0, _UNSIGNED_BYTE, len(shape), *shape)


def decode(content: bytes) -> NDArray[np.uint8]:
    """Return the array in an uncompressed IDX file, read-only.

    Raises:
        ValueError: the content is no IDX file of unsigned bytes, or is cut short.
    """
    if len(content) < 4 or content[:3] != bytes([0, 0, _UNSIGNED_BYTE]):
        raise ValueError(f"no IDX file of unsigned bytes, it begins with {content[:4]!r}")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError("an IDX file that ends inside its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise ValueError(f"IDX shape {shape}, but {len(content) - start} bytes")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
