"""A small network by formula and what foolbox 1.8 finds on it: `golden_foolbox1.json`.

`python tests/golden_foolbox1.py` computed it once, in the environments of `make bench`. For each
attack and image stand the distinct norms that foolbox found with `SEEDS` seeds, rounded to six
digits; null is a failure. An image has 4 x 4 pixels: `local_search` draws one pixel to begin with,
so the seeds show all that it can do.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).with_suffix(".json")
SHAPE = (4, 4, 1)
WIDTHS = (16, 12, 4)
IMAGES = 8
SEEDS = {"deepfool_l2": 1, "deepfool_linf": 1, "single_pixel": 200, "local_search": 200}
# `local_search` multiplies a pixel by 1.5 a round: more rounds would show rounding errors.
OPTIONS: dict[str, dict[str, Any]] = {
    "deepfool_l2": {"steps": 50},
    "deepfool_linf": {"steps": 50},
    "local_search": {"R": 8},
}


def layers() -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return kernels and biases of a dense ReLU network; the sines only have to look random."""
    first, last = (_wave(shape, i) for i, shape in enumerate(pairwise(WIDTHS)))
    hidden = np.maximum(_pixels().reshape(IMAGES, -1) @ first, 0)
    balance = -(hidden @ last).mean(axis=0)  # no class wins everywhere
    return [(first, np.zeros(WIDTHS[1], np.float32)), (last, balance)]


def images() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images in [0.1, 0.9] and labels as predicted, but that of the last image is wrong."""
    (first, _), (last, balance) = layers()
    hidden = np.maximum(_pixels().reshape(IMAGES, -1) @ first, 0)
    labels = (hidden @ last + balance).argmax(axis=1)
    labels[-1] = (labels[-1] + 1) % WIDTHS[-1]
    return _pixels(), labels


def _pixels() -> NDArray[np.float32]:
    return np.float32(0.5) + np.float32(0.4) * _wave((IMAGES, *SHAPE), 5)


def _wave(shape: tuple[int, ...], phase: float) -> NDArray[np.float32]:
    n = np.arange(np.prod(shape), dtype=np.float64)
    return np.sin(phase + 12.9898 * n + 0.71 * n**2).reshape(shape).astype(np.float32)


def main() -> None:
    """Compute the file."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from benchmarks import foolbox1

    found: dict[str, list[dict[str, list[float | None]]]] = {}
    for name, seeds in SEEDS.items():
        outcomes = foolbox1.attack(name, layers(), *images(), seeds=seeds, **OPTIONS.get(name, {}))
        found[name] = [
            {norm: _distinct([getattr(o, norm)[i] for o in outcomes]) for norm in ("l2", "linf")}
            for i in range(IMAGES)
        ]
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n")


def _distinct(norms: list[float | None]) -> list[float | None]:
    rounded = {None if norm is None else round(norm, 6) for norm in norms}
    return sorted(rounded, key=lambda norm: -1.0 if norm is None else norm)


if __name__ == "__main__":
    main()
