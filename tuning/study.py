"""An Optuna study whose trials all wait from the start, and what a trial draws from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import NullPool
from sqlalchemy.exc import SQLAlchemyError

from gauntlet.catalogue.parameters import Value
from gauntlet.errors import TrackingError, UsageError
from gauntlet.masking import mask_address
from gauntlet.tracking.store import PROJECT_ROOT, create_sqlite_file, tracking_uri
from tuning.config import TuneConfig
from tuning.locks import FileLocks, Locks, PostgresLocks, held
from tuning.spaces import Choice, Dimension, Range

DEFINITION, PARENT = "gauntlet.definition", "gauntlet.parent_run"

REASON = "gauntlet.reason"
"""Why a trial failed, on the trial."""

SQLITE, FILE = "sqlite:///", "studies.db"

DEAD_PEER = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
"""TCP keep-alive: PostgreSQL drops the connection of a dead worker, and its locks, within 30 s."""

SAMPLERS = {
    "tpe": optuna.samplers.TPESampler,
    "random": optuna.samplers.RandomSampler,
    "nsga2": optuna.samplers.NSGAIISampler,
}


class SeededByTrial(optuna.samplers.BaseSampler):
    """A sampler that starts anew for each trial, from the trial's own seed.

    One seed for a whole study would repeat its draws in every worker and after every restart.
    """

    def __init__(self, config: TuneConfig) -> None:
        self._config = config
        self._inner: optuna.samplers.BaseSampler = SAMPLERS[config["sampler"]](seed=0)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the sampler for this trial."""
        seed = self._config.trial_seed(trial.number)
        self._inner = SAMPLERS[self._config["sampler"]](seed=seed)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return what is drawn together."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Value]:
        """Draw what is drawn together."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one parameter."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Any, trial: Any, state: TrialState, values: Any) -> None:
        """Let the sampler note how a trial ended."""
        self._inner.after_trial(study, trial, state, values)


def storage_url(config: TuneConfig) -> str:
    """Return where studies are kept: as asked, or in a file beside the runs."""
    storage = str(config["storage"])
    if storage.startswith(SQLITE):
        # A lock is named after its storage, wherever that is named from.
        return f"{SQLITE}{Path(storage.removeprefix(SQLITE)).resolve()}"
    if storage != "auto":
        return storage
    runs = tracking_uri()
    folder = Path(runs.removeprefix(SQLITE)).parent if runs.startswith(SQLITE) else PROJECT_ROOT
    return f"{SQLITE}{folder / FILE}"


@contextmanager
def storage_faults(config: TuneConfig, *others: type[Exception]) -> Iterator[None]:
    """Say in one line that the storage of a study cannot be used, or no longer.

    Raises:
        TrackingError: the block raised what a database or Optuna raises then, or one of `others`.
    """
    faults: tuple[type[Exception], ...] = (
        SQLAlchemyError,
        optuna.exceptions.StorageInternalError,
        *others,
    )
    try:
        yield
    except faults as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise TrackingError(
            f"--storage: {mask_address(storage_url(config))} cannot be used ({reason}): start "
            "it, or leave --storage out for a file."
        ) from None


def open_study(config: TuneConfig) -> tuple[optuna.Study, Locks]:
    """Open or create the study of a config; all its trials are there, waiting or done.

    Raises:
        TrackingError: the storage cannot be reached.
        UsageError: a study of that name exists and searches something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with storage_faults(config, OSError):
        storage, locks = _connect(storage_url(config))
        with held(locks, f"{config.name} study"):
            study = optuna.create_study(
                storage=storage,
                study_name=config.name,
                directions=[objective.direction for objective in config.objectives],
                sampler=SeededByTrial(config),
                pruner=_pruner(config),
                load_if_exists=True,
            )
            _check_definition(study, config)
            _fill(study, config)
    return study, locks


def _connect(url: str) -> tuple[optuna.storages.RDBStorage, Locks]:
    if urlsplit(url).scheme.startswith("sqlite"):
        locks: Locks = FileLocks(url)
        with held(locks, "tables"):  # two processes that create them at once would both crash
            create_sqlite_file(url)
            return optuna.storages.RDBStorage(url), locks
    # Without a pool a closed connection is closed, and with it its locks.
    options = {"connect_args": DEAD_PEER, "poolclass": NullPool}
    storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
    return storage, PostgresLocks(storage.engine)


def _check_definition(study: optuna.Study, config: TuneConfig) -> None:
    wanted = json.loads(json.dumps(config.definition))
    found = study.user_attrs.get(DEFINITION)
    if found is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(DEFINITION, wanted)
        return
    # A parameter that is younger than the study had its default.
    defaults = TuneConfig(study=config.study).definition
    found = json.loads(json.dumps(defaults)) | (found or {})
    changed = [
        f"{name} {found.get(name)} -> {wanted.get(name)}"
        for name in sorted({*found, *wanted})
        if found.get(name) != wanted.get(name)
    ]
    if changed:
        raise UsageError(
            f"--study_name: the study '{config.name}' exists and differs: {', '.join(changed)}. "
            "Give the same parameters, or another name."
        )


def _fill(study: optuna.Study, config: TuneConfig) -> None:
    """Let as many trials wait as are missing from the budget."""
    for number in range(len(study.get_trials(deepcopy=False)), config.budget):
        study.enqueue_trial(dict(config.points[number]) if config.points else {})


def _pruner(config: TuneConfig) -> optuna.pruners.BasePruner:
    if config["pruner"] == "median":
        return optuna.pruners.MedianPruner(n_warmup_steps=2)
    if config["pruner"] == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=_longest(config))
    return optuna.pruners.NopPruner()


def _longest(config: TuneConfig) -> int:
    epochs = config.dimensions.get("epochs")
    if isinstance(epochs, Range):
        return int(epochs.high)
    return max(int(value) for value in epochs.values) if epochs else int(config["epochs"])


def draw(trial: Trial, config: TuneConfig) -> dict[str, Value]:
    """Return the values of the dimensions that this trial reads."""
    drawn: dict[str, Value] = {}
    for name, dimension in config.applying(drawn):
        drawn[name] = _suggest(trial, name, dimension)
    return drawn


def _suggest(trial: Trial, name: str, dimension: Dimension) -> Value:
    if isinstance(dimension, Choice):
        return trial.suggest_categorical(name, dimension.values)
    low, high, log, whole = dimension
    if whole:
        return trial.suggest_int(name, int(low), int(high), log=log)
    return trial.suggest_float(name, low, high, log=log)


def counts(study: optuna.Study) -> Mapping[TrialState, int]:
    """Return how many trials are in each state."""
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    return {state: states.count(state) for state in TrialState}


def finished(study: optuna.Study) -> int:
    """Return how many trials are over, however they ended."""
    return sum(n for state, n in counts(study).items() if state.is_finished())
