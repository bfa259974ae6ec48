"""Small studies for tests: their configs, commands and runs."""

from __future__ import annotations

import sys
from typing import Any

import mlflow

from gauntlet.config.command_line import parse
from tuning.config import TuneConfig

TINY = {"preset": "smoke", "train_size": "400", "test_size": "60"}


def study_config(**values: str) -> TuneConfig:
    """The config of a study on a few digits."""
    config = parse("tune", TINY | values)
    assert isinstance(config, TuneConfig)
    return config


def study_command(**values: str) -> list[str]:
    """The command line of the same study."""
    flags = [word for name, value in (TINY | values).items() for word in (f"--{name}", value)]
    return [sys.executable, "-m", "gauntlet", "tune", *flags]


def study_runs(store: mlflow.MlflowClient) -> tuple[Any, list[Any]]:
    """The run of the one study in a store, and those of its trials."""
    experiment = store.get_experiment_by_name("studies").experiment_id
    runs = store.search_runs([experiment], max_results=1000)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} <= {parent.info.run_id}
    return parent, children
