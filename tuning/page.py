"""A study as one page: what won, the Pareto front, every trial, the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from gauntlet.config.tune import TuneConfig
from gauntlet.report.document.model import Block, Commands, Document, Figure, Section, Table, Text
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
        measured: of the winner: objective, its value on validation images, on test images.
        command: that makes the winner again.
        figures: name -> PNG.
        run_id: of the study's run.
    """
    trials = study.get_trials(deepcopy=False)
    blocks: list[Block] = [
        Text(
            f"Judged by the last {config.validation_size} training images; test images were seen "
            "once, by the winner. One seed a trial: a gap within the intervals of two trials is "
            "no difference between their parameters."
        ),
        Table(
            ["objective", "validation", "test", "gap"],
            [[n, f"{v:.4f}", f"{t:.4f}", f"{t - v:+.4f}"] for n, v, t in measured],
        ),
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
            Section(
                "Space",
                [
                    Table(
                        ["parameter", "values"], [[n, str(d)] for n, d in config.dimensions.items()]
                    )
                ],
            ),
            Section("Trials", [_table(config, trials)]),
        ],
    )


def _fronts(study: optuna.Study, config: TuneConfig) -> Iterator[Section]:
    """Yield the trials that no feasible one beats in every objective, if there are several."""
    if len(config.objectives) > 1:
        best = sorted(study.best_trials, key=lambda trial: trial.values)
        floor = f"Of the trials with a clean accuracy of at least {config.clean_floor:g}, "
        said = Text(floor + "those that no other beats in both objectives.")
        yield Section("Pareto front", [said, _table(config, best)])


def _table(config: TuneConfig, trials: Sequence[FrozenTrial]) -> Table:
    names = [objective.short for objective in config.objectives]
    return Table(
        ["trial", "state", *names, *config.dimensions], [_row(config, trial) for trial in trials]
    )


def _row(config: TuneConfig, trial: FrozenTrial) -> list[str]:
    values = trial.values or [None] * len(config.objectives)
    state = trial.state.name.lower()
    if trial.state == TrialState.FAIL:
        state += f": {trial.user_attrs.get(REASON, '')}"
    drawn = trial.params | trial.system_attrs.get("fixed_params", {})
    return [
        str(trial.number),
        state,
        *("" if value is None else f"{value:.4f}" for value in values),
        *(_short(drawn.get(name, "")) for name in config.dimensions),
    ]


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
