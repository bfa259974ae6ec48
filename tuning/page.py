"""A study as one page: the winner, the Pareto front, every trial, the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from gauntlet.report.document.model import (
    Block,
    Commands,
    Document,
    Figure,
    Number,
    Section,
    Table,
    Text,
)
from tuning.config import TuneConfig
from tuning.study import REASON


def study_page(
    study: optuna.Study,
    config: TuneConfig,
    measured: Sequence[tuple[str, float, float]],
    command: str,
    figures: Mapping[str, bytes],
    run_id: str,
) -> Document:
    """Return the page.

    Args:
        study: finished.
        config: of the study.
        measured: for each objective of the winner: name, value on validation and on test images.
        command: what to type to train the winner again.
        figures: name -> PNG.
        run_id: of the study's run.
    """
    trials = study.get_trials(deepcopy=False)
    blocks: list[Block] = [
        Text(
            f"Judged by the last {config.held_out_size} training images; test images were seen "
            "once, by the winner. One seed per trial: a gap within the intervals of two trials is "
            "no difference between their parameters."
        ),
        _winner(config, measured),
        Commands([command]),
    ]
    said = ", ".join(f"{n} {value:.4f} on test images" for n, _, value in measured)
    return Document(
        f"Study “{config.name}”",
        [f"**{len(trials)} trials; the winner: {said}** (one seed), run `{run_id}`."],
        [
            Section("Winner", blocks),
            *_fronts(study, config),
            Section("Figures", [Figure(n, png, n.replace("_", " ")) for n, png in figures.items()]),
            Section("Space", [_space(config)]),
            Section("Trials", [_table("trials", config, trials)]),
        ],
    )


def _fronts(study: optuna.Study, config: TuneConfig) -> Iterator[Section]:
    """Yield the trials that no feasible trial beats in every objective, if there are several."""
    if len(config.objectives) > 1:
        best = sorted(study.best_trials, key=lambda trial: trial.values)
        floor = f"Of the trials with a clean accuracy of at least {config['clean_floor']:g}, "
        said = Text(floor + "those that no other beats in both objectives.")
        yield Section("Pareto front", [said, _table("pareto_front", config, best)])


def _winner(config: TuneConfig, measured: Sequence[tuple[str, float, float]]) -> Table:
    rows = [
        [name, _number(validation), _number(test), _number(test - validation, "+.4f")]
        for name, validation, test in measured
    ]
    caption = (
        f"The winner's objectives: mean over {_judging(config)}, and over the test images in the "
        "same way, one seed. Gap: test minus validation."
    )
    return Table("winner", ["objective", "validation", "test", "gap"], rows, caption)


def _space(config: TuneConfig) -> Table:
    rows = [[name, str(dimension)] for name, dimension in config.dimensions.items()]
    return Table("space", ["parameter", "values"], rows, "What parameters are drawn from.")


def _table(name: str, config: TuneConfig, trials: Sequence[FrozenTrial]) -> Table:
    objectives = [objective.short for objective in config.objectives]
    header = ["trial", "state", *objectives, *config.dimensions]
    caption = f"Objectives over {_judging(config)}, one seed per trial."
    return Table(name, header, [_row(config, trial) for trial in trials], caption)


def _row(config: TuneConfig, trial: FrozenTrial) -> list[str]:
    values = trial.values or [None] * len(config.objectives)
    state = trial.state.name.lower()
    if trial.state == TrialState.FAIL:
        state += f": {trial.user_attrs.get(REASON, '')}"
    drawn = trial.params | trial.system_attrs.get("fixed_params", {})
    return [
        str(trial.number),
        state,
        *("" if value is None else _number(value) for value in values),
        *(_short(drawn.get(name, "")) for name in config.dimensions),
    ]


def _judging(config: TuneConfig) -> str:
    images = f"the {config.held_out_size} validation images"
    if not config.attacks_networks:
        return images
    attacked = min(config["attack_images"], config.held_out_size)
    return f"{images} (robust accuracy: the first {attacked} of them)"


def _number(value: float, form: str = ".4f") -> str:
    return Number(f"{value:{form}}", {"value": value})


def _short(value: object) -> str:
    return Number(f"{value:.3g}", {"value": value}) if isinstance(value, float) else str(value)
