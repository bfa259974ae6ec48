"""Memory that the most demanding attacks take on 10,000 images, each in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.timing import Comparison

IMAGES = 10_000

HUNGRY: dict[str, dict[str, Any]] = {
    "pgd": {"steps": 3, "rel_step": 0.5},
    "apgd_t": {"apgd_steps": 3, "target_classes": 2},
    "multi_targeted": {"steps": 3, "rel_step": 0.5, "target_classes": 2},
    "deepfool_l2": {"deepfool_steps": 3},
    "cw_l2": {"cw_steps": 10, "cw_searches": 2},
    "fmn_l2": {"fmn_steps": 3},
    "ddn": {"ddn_steps": 3},
    "fab_t": {"fab_steps": 2, "target_classes": 2},
    "square": {"square_queries": 20},
    "spsa": {"spsa_steps": 1},
    "hop_skip_jump_linf": {"hop_skip_jump_steps": 2},
    "sigma_zero": {"sigma_zero_steps": 10},
    "single_pixel": {"max_pixels": 100},
    "local_search": {"local_search_rounds": 3},
}
"""Attacks with few steps: more steps take longer, but no more memory."""


def run() -> Iterator[Comparison]:
    """Measure each attack; both numbers of seconds in the table are the same one here."""
    for name, options in HUNGRY.items():
        command = [sys.executable, "-m", "benchmarks.memory", name, json.dumps(options)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603
        taken, spent = json.loads(said)
        yield Comparison(f"{name}: GiB for {IMAGES:,} images", [taken], "<= 2", (spent, spent))


def main() -> None:
    """Print as JSON the GiB that the attack added to the process, and the seconds that it took."""
    from benchmarks.peers import Target, ours
    from benchmarks.timing import seconds
    from gauntlet.config.training import ClassifierConfig
    from gauntlet.training.runtime import start_from

    start_from(0)
    model = ClassifierConfig().training.create((28, 28, 1), 10, 0)
    images = np.random.default_rng(0).random((IMAGES, 28, 28, 1), np.float32)
    labels = model.predict(images, verbose=0).argmax(axis=1)  # nothing is misclassified already
    own = psutil.Process().memory_info().rss
    target = Target(model, images, labels)
    spent = seconds(lambda: ours(sys.argv[1], json.loads(sys.argv[2]), target))
    print(json.dumps([(_peak() - own) / 2**30, spent]))


def _peak() -> int:
    """Return the largest resident memory of this process so far, in bytes (Linux only).

    `resource.getrusage` would not do: a new process inherits its parent's peak there.
    """
    (line,) = (s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s)
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
