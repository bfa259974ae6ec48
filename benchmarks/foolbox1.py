"""Attacks of foolbox 1.8, run in its own environment (`make bench` makes it)."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gauntlet.arrays import Floats, Images, Labels

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-foolbox1/bin/python"
WORKER = Path(__file__).with_name("foolbox1_worker.py")


@dataclass(frozen=True)
class Outcome:
    """What foolbox found with one seed.

    Attributes:
        success: one per image; an image that is misclassified already is a success of norm 0.
        l2: L2 norm of each image's change; None where nothing was found.
        linf: Linf norm of each image's change; None where nothing was found.
        seconds: wall time for all images together.
    """

    success: list[bool]
    l2: list[float | None]
    linf: list[float | None]
    seconds: float


def attack(
    name: str,
    layers: list[tuple[Floats, Floats]],
    images: Images,
    labels: Labels,
    *,
    seeds: int = 1,
    **options: Any,
) -> list[Outcome]:
    """Attack a dense ReLU network, given as kernels and biases; one outcome per seed from 0 on.

    Raises:
        FileNotFoundError: the environment is missing.
        subprocess.CalledProcessError: foolbox failed; its traceback is on stderr.
    """
    arrays = {f"kernel_{i}": kernel for i, (kernel, _) in enumerate(layers)}
    arrays |= {f"bias_{i}": bias for i, (_, bias) in enumerate(layers)}
    with tempfile.TemporaryDirectory() as folder:
        network = Path(folder, "network.npz")
        np.savez(network, images=images, labels=labels, **arrays)  # type: ignore[arg-type]
        command = [PYTHON, WORKER, network, name, str(seeds), json.dumps(options)]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603
    return [Outcome(**outcome) for outcome in json.loads(said)]
