"""Stores of their own, one small attack run for all, and processes that outlive no test."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import pytest
from filelock import FileLock
from matplotlib.figure import Figure
from servers import postgresql, tracking_to

from gauntlet.config.command_line import parse
from gauntlet.config.data import RunConfig
from gauntlet.evaluation import pictures
from gauntlet.report.attack.summary import Summary
from gauntlet.training import keras_loops

TINY = {
    "preset": "smoke",
    "train_size": "400",
    "test_size": "60",
    "epochs": "4",
    "batch_size": "32",
    "learning_rate": "0.005",
    "widths": "32,8",
}
TINY_ATTACK = {**TINY, "attacks": "fgsm,noise", "epsilons": "0,0.1,0.3"}

LONGEST = (
    "test_tuning_workers",
    "test_tuning",
    "test_projects",
    "test_servers",
    "test_attacks",
    "test_steps",
    "test_damage",
    "test_reproduce",
    "test_resume",
    "test_compare",
    "test_extending",
    "test_launcher",
    "test_interruption",
    "test_digests",
)
"""Files that take minutes: they come first, so that no worker ends with one of them alone."""

# Tests attack many small models in turn: each is compiled once, not once per eight others.
# What caches compiled functions reads this when it is imported, after this file.
keras_loops.KEPT_MODELS = 200

# Tests that are started in the background, and all processes of theirs, would ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Attacked(NamedTuple):
    """A finished attack run: store, config, result and what the console showed."""

    uri: str
    config: RunConfig
    summary: Summary
    said: str


LOGGER = logging.getLogger("gauntlet")
RENDERED = pictures.rendered
BLANK = RENDERED(Figure(figsize=(0.1, 0.1)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; within a file, tests stay in order."""
    order = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONGEST)))


@pytest.fixture(autouse=True)
def own_log() -> None:
    """Take back what `show_log` did to the project's logger, in a test or a shared fixture."""
    LOGGER.setLevel(logging.NOTSET)
    LOGGER.handlers.clear()


@pytest.fixture(scope="session", autouse=True)
def undrawn() -> Iterator[None]:
    """Draw no figure of a run in this process: that takes half of a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "rendered", lambda _: BLANK)
        yield


@pytest.fixture(scope="module")
def drawn() -> Iterator[None]:
    """Draw figures after all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "rendered", RENDERED)
        yield


@pytest.fixture(scope="session")
def tiny() -> Callable[..., RunConfig]:
    """Configs on a few digits: `tiny(entry point, parameter=string)`."""

    def make(entry_point: str, **values: str) -> RunConfig:
        attacks = entry_point in ("attack", "main")
        return parse(entry_point, {**(TINY_ATTACK if attacks else TINY), **values})

    return make


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """An empty database with tables, which take MLflow ten seconds."""
    folder = tmp_path_factory.mktemp("migrated")
    with tracking_to(f"sqlite:///{folder}/mlflow.db", folder):
        return folder / "mlflow.db"


@pytest.fixture(scope="session")
def new_store(migrated, tmp_path_factory) -> Callable[[], str]:
    """URIs of empty stores."""

    def copy() -> str:
        return f"sqlite:///{shutil.copy(migrated, tmp_path_factory.mktemp('store'))}"

    return copy


@pytest.fixture
def store(new_store, tmp_path) -> Iterator[mlflow.MlflowClient]:
    """An empty store, the one that this process uses."""
    with tracking_to(new_store(), tmp_path) as client:
        yield client


@pytest.fixture(scope="session")
def attacked(new_store, tiny, tmp_path_factory, worker_id) -> Attacked:
    """One small attack run, in a store of this process that all read and few write to.

    Look at it through `tracking_to(attacked.uri, folder)`. Whichever process of a test run comes
    first computes it; each has a copy of the store.
    """
    alone, own = worker_id == "master", tmp_path_factory.getbasetemp()
    kept, mine = (own if alone else own.parent) / "kept", own / "attacked"
    with FileLock(f"{kept}.lock"):
        if not kept.exists():
            _attack(new_store(), tiny("attack"), kept, tmp_path_factory.mktemp("first"))
    shutil.copytree(kept, mine)
    summary, said = pickle.loads((kept / "found").read_bytes())  # noqa: S301 -- written above
    return Attacked(f"sqlite:///{mine}/mlflow.db", tiny("attack"), summary, said)


def _attack(uri: str, config: RunConfig, kept: Path, folder: Path) -> None:
    """Run an attack; keep its store, and what was found and said."""
    from gauntlet.entry_points import attack

    said = io.StringIO()
    with tracking_to(uri, folder), contextlib.redirect_stdout(said):
        summary = attack.run(config)
    shutil.copytree(Path(uri.removeprefix("sqlite:///")).parent, kept)
    (kept / "found").write_bytes(pickle.dumps((summary, said.getvalue())))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The URI of an empty PostgreSQL database."""
    with postgresql() as uri:
        yield uri


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python or a program beside it in a process group of its own."""
    started = []

    def run(*command: Any, uri: str, **environment: str) -> subprocess.Popen[str]:
        keep = {k: v for k, v in os.environ.items() if "MLFLOW_" not in k}
        keep |= {"MLFLOW_TRACKING_URI": uri, **environment}
        first = Path(sys.executable).parent / command[0]
        started.append(
            subprocess.Popen(
                [first, *map(str, command[1:])],
                cwd=tmp_path,
                env=keep,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return started[-1]

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
