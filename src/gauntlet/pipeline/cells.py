"""Cells in the store: reused, or measured in a run of their own, and read back."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.cells.plan import SURROGATE, Cell, Certification, plan_cells
from gauntlet.cells.result import CellResult
from gauntlet.config.attack import AttackConfig
from gauntlet.data.dataset import Dataset
from gauntlet.pipeline.cell_record import read_cell, record
from gauntlet.pipeline.console import progress
from gauntlet.pipeline.networks import Networks, input_tags
from gauntlet.pipeline.reuse import Reuse
from gauntlet.tracking import names
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.step_cache import Fingerprint

if TYPE_CHECKING:
    from gauntlet.attacks.threat_models import Scenario
    from gauntlet.cells.measure import Crafting
    from gauntlet.defences.defended_model import DefendedModel

EXPERIMENT = ENTRY_POINTS["attack"].experiment


def run_cells(
    config: AttackConfig,
    data: Dataset,
    networks: Networks,
    parent: TrackedRun,
    tolerate: Callable[[Cell, Exception], None] | None = None,
) -> list[CellResult]:
    """Return the result of every cell of a config, on the test images of `data`.

    Args:
        config: what to attack, and how.
        data: its test images are attacked.
        networks: see `ensure_networks`.
        parent: run whose children the cells' runs are.
        tolerate: told of a cell that fails, instead of ending here; the cell has no result then.
    """
    runner, reuse = _Runner(config, data, networks), Reuse(at_once=False)
    cells = plan_cells(config)
    results: dict[Cell, CellResult] = {}
    with progress("attacking", len(cells)) as advance:
        # Cells of one view have the same adversarial images: side by side, they craft them once.
        for cell in sorted(cells, key=lambda c: c.view):
            try:
                fingerprint = fingerprint_of(cell, data, networks)
                compute = partial(runner.run, cell, fingerprint, parent)
                results[cell] = read_cell(reuse.reuse_or_compute(fingerprint, compute))
            except Exception as error:
                if tolerate is None:
                    raise
                tolerate(cell, error)
            advance(cell.name)
    reuse.say_counts("cells")
    return [results[cell] for cell in cells if cell in results]


class _Runner:
    """Measures the cells of one config; keeps assembled defences and the last crafted images."""

    def __init__(self, config: AttackConfig, data: Dataset, networks: Networks) -> None:
        self._config, self._data, self._networks = config, data, networks
        self._last: tuple[tuple[str, ...], Crafting] | None = None
        self._defended: dict[str, DefendedModel] = {}

    def run(self, cell: Cell, fingerprint: Fingerprint, parent: TrackedRun) -> None:
        """Measure a cell in a run of its own, a child of the attack run."""
        from gauntlet.cells.measure import measure

        parts = {
            "defence": cell.defence.name,
            "threat_model": cell.threat_model.name,
            "attack": cell.attack.name,
        }
        used = self._used_by(cell)
        tags = {
            **fingerprint.tags,
            **input_tags(used),
            names.DEFENCE: cell.defence.name,
            names.THREAT_MODEL: cell.threat_model.name,
            names.ATTACK: cell.attack.name,
            names.DEVICE: self._device,
        }
        params = {f"cell/{name}": value for name, value in parts.items()}
        opened = tracked_run(
            EXPERIMENT, cell.name, self._config.as_json(), tags=tags, params=params, parent=parent
        )
        with opened as run:
            data = self._data
            run.uses_data(data.name, data.test_sha256, len(data.x_test), "evaluation")
            run.uses_models(network.stored.model_id for network in used.values())
            found = measure(cell, self._scenario(cell), data.x_test, data.y_test, self._made(cell))
            self._last = cell.view, found.crafting
            record(run, cell, found, data)

    def _made(self, cell: Cell) -> Crafting | None:
        return self._last[1] if self._last and self._last[0] == cell.view else None

    def _used_by(self, cell: Cell) -> Networks:
        return {part: self._networks[part] for part in cell.parts}

    @cached_property
    def _device(self) -> str:
        from gauntlet.training.runtime import configure_tensorflow

        return configure_tensorflow()

    def _scenario(self, cell: Cell) -> Scenario:
        from gauntlet.attacks.threat_models import Scenario

        surrogate = SURROGATE in cell.parts
        other = self._networks[SURROGATE].load() if surrogate else None
        return Scenario(cell.threat_model, self._assembled(cell), other)

    def _assembled(self, cell: Cell) -> DefendedModel:
        defence = cell.defence.name
        if defence not in self._defended:
            self._defended[defence] = assembled(cell, self._networks, self._data)
        return self._defended[defence]


def fingerprint_of(cell: Cell | Certification, data: Dataset, networks: Networks) -> Fingerprint:
    """Return all that decides what is measured of a defence: of a cell or a certification."""
    used = {part: networks[part] for part in cell.parts}
    weights = {part: network.stored.weights_sha256 for part, network in used.items()}
    read = {"test data": data.test_sha256, **weights}
    if cell.calibration_size:
        read["training data"] = data.train_sha256
    layers = (module for network in used.values() for module in network.layers)
    return Fingerprint(cell.step, cell.subject, cell.settings, read, (*cell.modules, *layers))


def assembled(cell: Cell | Certification, networks: Networks, data: Dataset) -> DefendedModel:
    """Return the defence of a cell or a certification, put together from the store."""
    from gauntlet.cells.assemble import assemble

    *autoencoders, classifier = cell.defence.entry.parts(cell.defence.values)
    before = tuple(networks[part].load() for part in autoencoders)
    return assemble(cell, networks[classifier].load(), before, data.x_train)
