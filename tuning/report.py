"""What a study found: figures, trials as tables, the winner, and how to train it again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import optuna
import yaml
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from gauntlet.config.command_line import command, typed
from gauntlet.config.data import RunConfig
from gauntlet.evaluation.figures import draw_losses
from gauntlet.evaluation.pictures import as_png
from gauntlet.tracking.recording import TrackedRun
from tuning.config import TuneConfig
from tuning.objectives import Objective
from tuning.study import counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = Callable[[FrozenTrial], float]
Drawing = tuple[str, str, Mapping[str, str | Sequence[str] | Values]]
"""Name of a figure, the function of Optuna that draws it, and its keyword arguments."""


def best(study: optuna.Study, config: TuneConfig) -> FrozenTrial | None:
    """Return the winner: the feasible trial that is best in the last objective, then in the first.

    So it is on the Pareto front. With two objectives, the last one is robust accuracy. None: no
    trial is complete and feasible.
    """
    signs = [1 if o.direction == "minimize" else -1 for o in reversed(config.objectives)]

    def rank(trial: FrozenTrial) -> tuple[float, ...]:
        values = zip(signs, reversed(trial.values), strict=True)
        return (*(sign * value for sign, value in values), trial.number)

    return min(filter(feasible, _complete(study)), key=rank, default=None)


def feasible(trial: FrozenTrial) -> bool:
    """Tell whether a complete trial satisfies every constraint."""
    return all(value <= 0 for value in trial.constraints.values())


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def summary(study: optuna.Study, config: TuneConfig) -> str:
    """Return the progress of a study in one line."""
    count = counts(study)
    words = [f"{count[TrialState.COMPLETE]} done"]
    for state, name in ((TrialState.PRUNED, "pruned"), (TrialState.FAIL, "failed")):
        words += [f"{count[state]} {name}"] if count[state] else []
    if winner := best(study, config):
        values = ", ".join(f"{value:.4f}" for value in winner.values)
        words.append(f"best {values} (trial {winner.number})")
    return ", ".join(words)


def log_study(run: TrackedRun, study: optuna.Study, config: TuneConfig) -> dict[str, bytes]:
    """Log every figure as HTML and PNG, and the trials as CSV and as a table.

    Returns:
        name -> PNG of each figure.
    """
    frame = study.trials_dataframe(multi_index=False)
    run.json("space.json", {name: str(d) for name, d in config.dimensions.items()})
    run.text("trials.csv", frame.to_csv(index=False))
    run.table("trials.json", frame.map(str).to_dict("list"))
    pictures = {}
    for name, function, options in _figures(study, config.objectives):
        with warnings.catch_warnings():
            # Optuna calls its matplotlib figures experimental, and says when an axis is empty.
            warnings.simplefilter("ignore")
            page = getattr(optuna.visualization, function)(study, **options)
            axes = getattr(optuna.visualization.matplotlib, function)(study, **options)
        run.text(f"figures/{name}.html", page.to_html(include_plotlyjs=True))
        pictures[name] = _whole(axes)
    if config.points:
        title = f"{config.name}: loss on validation images"
        pictures["losses"] = draw_losses(_losses(study, config), title)
    for name, picture in pictures.items():
        run.figure(f"figures/{name}.png", picture)
    return {name: as_png(picture) for name, picture in pictures.items()}


def _losses(study: optuna.Study, config: TuneConfig) -> dict[str, dict[int, float]]:
    """Return the learning curve of each point of a comparison (first paper, figures 5 and 6)."""
    trials = study.get_trials(deepcopy=False)
    return {
        " - ".join(dict.fromkeys(point.values())): trials[number].intermediate_values
        for number, point in enumerate(config.points[: len(trials)])
    }


def _figures(study: optuna.Study, objectives: Sequence[Objective]) -> Iterator[Drawing]:
    complete = len(_complete(study))
    yield "timeline", "plot_timeline", {}
    if any(trial.intermediate_values for trial in study.get_trials(deepcopy=False)):
        yield "learning_curves", "plot_intermediate_values", {}
    if not complete:
        return
    if len(objectives) > 1:
        names = [objective.name for objective in objectives]
        yield "pareto", "plot_pareto_front", {"target_names": names}
    for index, objective in enumerate(objectives):
        options: dict[str, str | Values] = {"target_name": objective.name}
        if len(objectives) > 1:
            options["target"] = _value(index)
        suffix = f"_{objective.name.split('/')[-1]}" if len(objectives) > 1 else ""
        yield f"history{suffix}", "plot_optimization_history", options
        yield f"slice{suffix}", "plot_slice", options
        yield f"parallel_coordinates{suffix}", "plot_parallel_coordinate", options
        if complete > 1:
            yield f"importance{suffix}", "plot_param_importances", options


def _value(index: int) -> Values:
    return lambda trial: float(trial.values[index])


def _whole(axes: Axes | NDArray[np.object_]) -> Figure:
    """Return the figure of Optuna's axes, one or an array of them, wide enough for all."""
    one: Axes = np.ravel(np.asarray(axes, object))[0]
    figure = one.figure.figure
    figure.set_size_inches(max(10, 2.5 * len(figure.axes)), 6)
    return figure


def log_winner(run: TrackedRun, trial: RunConfig) -> str:
    """Log the winner's parameters as YAML, and the command that makes it again; return that."""
    again = command(trial.entry_point, trial)
    given = typed(trial)
    run.text("best.yaml", yaml.safe_dump({trial.entry_point: given}, sort_keys=False))
    run.text("reproduce.txt", again + "\n")
    return again
