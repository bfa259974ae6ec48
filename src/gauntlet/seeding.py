"""One root seed in, named child seeds out: the only source of randomness in the project."""

from __future__ import annotations

import hashlib


def child_seed(root: int, *names: str) -> int:
    """Derive a seed in [0, 2**31) from the root seed and a path of names.

    Children of different names are independent, so adding one never shifts the others.

    Args:
        root: the run's seed, >= 0; 0 is a seed like any other.
        names: what the randomness is for, e.g. `"autoencoder", "weights"`.
    """
    text = "/".join([str(root), *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
