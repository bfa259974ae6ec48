"""Run one cell: craft the adversarial images, judge them, log everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gauntlet.config.attack import AttackConfig
from gauntlet.config.base import metric_step
from gauntlet.config.tables import speaks_grey_levels
from gauntlet.data.dataset import Dataset
from gauntlet.report.cell_result import reference_index
from gauntlet.steps.cells import Cell, Models
from gauntlet.steps.defended import build_defended, loaded
from gauntlet.steps.finished_cells import EXAMPLES, NO_GRADIENT
from gauntlet.steps.inputs import grid_indices
from gauntlet.tracking.experiments import ATTACKS
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gauntlet.attacks.base import AttackResult
    from gauntlet.attacks.crafting import Crafting
    from gauntlet.attacks.threat_models import Scenario
    from gauntlet.defences.defended_model import DefendedModel
    from gauntlet.defences.magnet import MagNet
    from gauntlet.evaluation.metrics import AttackOutcome


class CellRunner:
    """Runs the cells of one attack run; keeps loaded models and the last crafted images."""

    def __init__(self, config: AttackConfig, data: Dataset) -> None:
        self._config = config
        self._data = data
        self._crafted: tuple[tuple[str, ...], Crafting] | None = None

    def run(self, cell: Cell, parent: TrackedRun) -> None:
        """Compute a cell in a run of its own, a child of the attack run."""
        tags = {
            **cell.fingerprint.tags,
            **cell.models.tags,
            "gauntlet.defence": cell.defence,
            "gauntlet.threat_model": cell.threat_model,
            "gauntlet.attack": cell.attack,
            "gauntlet.device": self._device,
        }
        params = {
            "cell/defence": cell.defence,
            "cell/threat_model": cell.threat_model,
            "cell/attack": cell.attack,
        }
        with tracked_run(
            ATTACKS, cell.name, self._config, tags=tags, params=params, parent=parent
        ) as run:
            run.uses_data(self._data.name, self._data.sha256, len(self._data.x_test), "evaluation")
            run.uses_models(model.model_id for model in cell.models.all)
            scenario = self._scenario(cell)
            starts = scenario.starts(self._data.x_test)
            crafting = self._craft(cell, scenario, starts, self._unit(scenario, starts))
            self._judge(run, cell, scenario, starts, crafting)

    @cached_property
    def _device(self) -> str:
        from gauntlet.runtime import configure_tensorflow

        return configure_tensorflow()

    @lru_cache(maxsize=4)  # noqa: B019 -- a runner lives as long as its attack run
    def _defended(self, defence: str, models: Models) -> DefendedModel:
        return build_defended(defence, models, self._config, self._data)

    def _scenario(self, cell: Cell) -> Scenario:
        from gauntlet.attacks.threat_models import THREAT_MODELS, Scenario

        surrogate = loaded(cell.models.surrogate)
        defended = self._defended(cell.defence, replace(cell.models, surrogate=None))
        return Scenario(THREAT_MODELS[cell.threat_model], defended, surrogate)

    def _unit(self, scenario: Scenario, starts: NDArray[np.float32]) -> float:
        """Return what a budget of 1 is: the whole range of an image, or as much of an output's."""
        if not self._config.relative_budget or scenario.perturbs_input:
            return 1.0
        return float(starts.mean(dtype=np.float64) / self._data.x_test.mean(dtype=np.float64))

    def _craft(
        self, cell: Cell, scenario: Scenario, starts: NDArray[np.float32], unit: float
    ) -> Crafting:
        from gauntlet.attacks.crafting import craft

        if self._crafted is None or self._crafted[0] != cell.crafting_key:
            crafting = craft(cell.attack, self._config, scenario, starts, self._data.y_test, unit)
            self._crafted = cell.crafting_key, crafting
        return self._crafted[1]

    def _judge(
        self,
        run: TrackedRun,
        cell: Cell,
        scenario: Scenario,
        starts: NDArray[np.float32],
        crafting: Crafting,
    ) -> None:
        from gauntlet.defences.magnet import MagNet
        from gauntlet.defences.stochastic import majority
        from gauntlet.evaluation.metrics import attack_metrics, clean_metrics, draw_metrics

        votes = scenario.votes(starts)
        clean = majority(votes)
        run.metrics(clean_metrics(self._data.y_test, clean))
        run.metrics(draw_metrics(self._data.y_test, votes, "clean"))
        run.metrics(_scale(starts))
        outcomes, budgets = [], self._config.budgets(cell.attack)
        for epsilon, result in zip(budgets, crafting.results, strict=True):
            votes, step = scenario.votes(result.adversarial), metric_step(epsilon)
            outcomes.append(self._outcome(starts, clean, majority(votes), result))
            run.metrics(attack_metrics(outcomes[-1], self._config.one_target(cell.attack)), step)
            run.metrics(draw_metrics(self._data.y_test, votes, "adv"), step)
            run.metrics(_costs(result, scenario.samples), step)
        if isinstance(scenario.defended, MagNet):
            self._log_magnet(run, scenario.defended, starts, crafting.results)
        each = {
            name: np.stack([getattr(outcome, name) for outcome in outcomes])
            for name in ("attacked", "noise_l2", "concentration")
        }
        if (stuck := crafting.no_gradient) is not None:
            run.metrics([("attack/zero_gradients", float(stuck.sum()))])
            each[NO_GRADIENT] = stuck
        run.arrays(
            EXAMPLES, epsilons=np.asarray(budgets), labels=self._data.y_test, clean=clean, **each
        )
        self._log_pictures(run, cell, scenario, starts, crafting.results, outcomes)

    def _log_magnet(
        self,
        run: TrackedRun,
        magnet: MagNet,
        images: NDArray[np.float32],
        crafted: list[AttackResult],
    ) -> None:
        from gauntlet.evaluation.metrics import magnet_metrics

        names = (f"magnet/threshold_{name}" for name in magnet.mark_names)
        run.metrics(zip(names, magnet.thresholds, strict=True))
        false_positives = magnet.verdicts(images).rejected.mean()
        run.metrics([("magnet/false_positive_rate", float(false_positives))])
        for result in crafted:
            parts = magnet_metrics(self._data.y_test, *magnet.verdicts(result.adversarial))
            run.metrics(parts, metric_step(result.epsilon))

    def _outcome(
        self,
        starts: NDArray[np.float32],
        clean: NDArray[np.int64],
        attacked: NDArray[np.int64],
        result: AttackResult,
    ) -> AttackOutcome:
        from gauntlet.evaluation.metrics import AttackOutcome, concentration

        change = np.abs(result.adversarial - starts).reshape(len(starts), -1)
        return AttackOutcome(
            self._data.y_test,
            clean,
            attacked,
            np.sqrt(np.einsum("ij,ij->i", change, change)),
            concentration(change),
            noise_linf=change.max(axis=1),
        )

    def _log_pictures(
        self,
        run: TrackedRun,
        cell: Cell,
        scenario: Scenario,
        starts: NDArray[np.float32],
        crafted: list[AttackResult],
        outcomes: list[AttackOutcome],
    ) -> None:
        from gauntlet.evaluation.figures import draw_curves, draw_matrices
        from gauntlet.evaluation.metrics import matrices, report_by_class

        budgets = self._config.budgets(cell.attack)
        at = reference_index(budgets, not speaks_grey_levels(cell.attack))
        tables = {
            f"{e:g}": matrices(o, self._data.n_classes)
            for e, o in zip(budgets, outcomes, strict=True)
        }
        title = f"{cell.name}, epsilon {budgets[at]:.4g}"
        run.json("confusion_matrices.json", tables)
        run.figure("confusion_matrices.png", draw_matrices(tables[f"{budgets[at]:g}"], title))
        report = report_by_class(self._data.y_test, outcomes[at].attacked)
        run.text("classification_report.txt", f"{title}\n\n{report}")
        accuracies = [float(outcome.correct.mean()) for outcome in outcomes]
        run.figure("accuracy_epsilon.png", draw_curves({cell.attack: (budgets, accuracies)}, title))
        run.figure("images.png", self._grid(scenario, starts, crafted[at], outcomes[at], title))

    def _grid(
        self,
        scenario: Scenario,
        starts: NDArray[np.float32],
        result: AttackResult,
        outcome: AttackOutcome,
        title: str,
    ) -> Figure:
        from gauntlet.evaluation.figures import draw_grid

        picked = grid_indices(self._data)
        start, adversarial = starts[picked], result.adversarial[picked]
        rows = {"image": self._data.x_test[picked], "perturbed": adversarial}
        rows["difference"] = adversarial - start
        if scenario.defended.autoencoder is not None:
            seen = scenario.perturbs_input
            rows["reconstruction"] = scenario.defended.encode(adversarial) if seen else start
        captions = {"image": outcome.clean[picked], "perturbed": outcome.attacked[picked]}
        names = {k: ["rej." if c < 0 else str(c) for c in v] for k, v in captions.items()}
        return draw_grid(rows, names, title)


def _scale(starts: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
    """Yield the scale of what is perturbed, without which a budget means nothing."""
    yield "perturbed/mean", float(starts.mean(dtype=np.float64))
    yield "perturbed/max", float(starts.max())


def _costs(result: AttackResult, draws: int) -> Iterator[tuple[str, float]]:
    """Yield what an image cost; where logits are a mean of draws, each draw is a call."""
    yield "attack/epsilon", result.epsilon
    yield "attack/gradient_calls", result.gradient_calls * draws
    yield "attack/queries", result.queries * draws
