"""Train and attack the networks of a plan; what fails is written down, and the rest goes on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from gauntlet.catalogue.classifiers import Inputs
from gauntlet.catalogue.parameters import Json
from gauntlet.data.dataset import Dataset
from gauntlet.errors import DivergenceError
from gauntlet.masking import mask
from gauntlet.papers.plan import Attacked, Network, Part
from gauntlet.pipeline.cells import run_cells
from gauntlet.pipeline.console import say
from gauntlet.pipeline.networks import Networks, ensure_networks
from gauntlet.pipeline.trainings import TrainedNetwork, ensure_autoencoder
from gauntlet.report.claims.results import Key, TrainedKey
from gauntlet.tracking.recording import TrackedRun


@dataclass
class Matrix:
    """Where everything of a plan was measured.

    Attributes:
        cells, trainings: of each key, seed -> run id; a seed that failed or diverged is missing.
        examinations: id of a training's run -> id of the run that measured it on test images.
        failed: what could not be computed -> why.
        diverged: network -> seed -> when its training diverged; that is a result, no failure.
    """

    cells: dict[Key, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    trainings: dict[TrainedKey, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    examinations: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    diverged: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))

    def as_json(self) -> Json:
        """Return it as lists and texts."""
        return {
            "cells": [[*key, ids] for key, ids in self.cells.items()],
            "trainings": [[*key, ids] for key, ids in self.trainings.items()],
            "examinations": self.examinations,
            "failed": self.failed,
            "diverged": self.diverged,
        }

    def note(self, key: TrainedKey, seed: int, network: TrainedNetwork) -> None:
        """Write down where a network was trained and measured."""
        self.trainings[key][seed] = network.stored.run_id
        self.examinations[network.stored.run_id] = network.examination


def run_matrix(networks: Sequence[Network], data: Dataset, parent: TrackedRun) -> Matrix:
    """Return where every network's trainings and attacks were measured.

    Finished ones are reused; whatever raises is in `failed`, and the others are done.
    """
    matrix, pace = Matrix(), _Pace(sum(1 + len(network.parts) for network in networks))
    for network in networks:
        who = f"{network.name}, seed {network.seed}"
        if _trained(network, who, data, matrix):
            pace.tell(who)
            for part in network.parts:
                _attack(network, part, f"{who}, {part.name}", data, parent, matrix)
                pace.tell(f"{who}, {part.name}")
        else:
            pace.tell(who, 1 + len(network.parts))
    return matrix


def _trained(network: Network, who: str, data: Dataset, matrix: Matrix) -> bool:
    """Train a network's autoencoder, or reuse it; tell whether there is one to attack."""
    try:
        trained = ensure_autoencoder(network.config.autoencoder(), data)
    except DivergenceError as error:
        say(f"diverged: {who}: {error}")
        matrix.diverged[network.name][network.seed] = str(error)
        return False
    except Exception as error:
        _fail(matrix, who, error)
        return False
    matrix.note(TrainedKey(network.name, "autoencoder"), network.seed, trained)
    return True


def _attack(
    network: Network, part: Part, who: str, data: Dataset, parent: TrackedRun, matrix: Matrix
) -> None:
    some = data.take(None, _images(data, part.images))
    try:
        networks = ensure_networks(part.config, data)
        parent.uses_models(found.stored.model_id for found in networks.values())
        _note_classifiers(network, part, networks, matrix)
        cells = run_cells(
            part.config,
            some,
            networks,
            parent,
            lambda cell, error: _fail(matrix, f"{who}, {cell.name}", error),
        )
    except Exception as error:
        _fail(matrix, who, error)
        return
    for cell in cells:
        names = cell.attack, cell.defence, cell.threat_model
        matrix.cells[Key(network.name, part.name, *names)][network.seed] = cell.run_id


def _note_classifiers(network: Network, part: Part, networks: Networks, matrix: Matrix) -> None:
    for name in get_args(Inputs):
        if name in networks:
            key = TrainedKey(network.name, name, part.name)
            matrix.note(key, network.seed, networks[name])


def _fail(matrix: Matrix, what: str, error: Exception) -> None:
    # It stands in the report, which masks nothing; the failed run holds the whole traceback.
    why = mask(f"{type(error).__name__}: {error}").splitlines()[0]
    matrix.failed[what] = why
    say(f"failed: {what}: {why}")


def _images(data: Dataset, wanted: Attacked) -> int:
    """Return how many test images to attack; a small data set may have fewer than wanted."""
    available = len(data.x_test)
    return available if isinstance(wanted, str) else min(wanted, available)


class _Pace:
    """Says what is done, and how long the rest will take at the pace so far.

    A bar would hide the bars of the trainings and the attacks.
    """

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()

    def tell(self, what: str, steps: int = 1) -> None:
        """Count steps as done."""
        self._done += steps
        left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
        say(f"{self._done} of {self._total}, {left / 60:.0f} min left: {what}")
