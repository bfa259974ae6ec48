"""Compares what the runs of a store hold with the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import mlflow
from mlflow.entities import Run
from stored import runs_of

from gauntlet.catalogue.names import Name
from gauntlet.tracking import names
from gauntlet.tracking.finished import sealed
from gauntlet.tracking.metric_names import METRICS
from gauntlet.tracking.names import Of, Vocabulary

KINDS = {
    "attack": Of.ATTACK,
    "autoencoder": Of.TRAINING,
    "cell": Of.CELL,
    "certification": Of.CERTIFICATION,
    "classifier": Of.TRAINING,
    "compare": Of.COMPARISON,
    "examination": Of.EXAMINATION,
    "reproduce": Of.REPRODUCTION,
    "tune": Of.STUDY,
}


def fits(known: Name, name: str) -> bool:
    """Tell whether a name of the store is this one of the vocabulary."""
    fixed = re.split(r"<[^>]+>", known.pattern)
    return bool(re.fullmatch(".+".join(map(re.escape, fixed)), name))


def kind_of(run: Run) -> Of:
    """Return what kind of run it is; a trial is no step."""
    tags = run.data.tags
    return Of.TRIAL if names.TRIAL in tags else KINDS[tags[names.STEP]]


def unnamed(client: mlflow.MlflowClient) -> tuple[set[Of], list[str]]:
    """Return the kinds of a store's sealed runs, and what they hold without a name."""
    runs = [run for run in runs_of(client) if names.SEAL in run.data.tags]
    return {kind_of(run) for run in runs}, sorted({line for run in runs for line in _of(run)})


def _of(run: Run) -> Iterator[str]:
    kind, data = kind_of(run), run.data
    whole = sealed(run)
    ours = [tag for tag in data.tags if tag.startswith("gauntlet.")]
    given = [name for name in data.params if "/" in name]
    # A logged model has a folder of its own kind.
    files = [path for path in whole.digests if not path.startswith("model/")]
    yield from _unknown(kind, "metric", data.metrics, METRICS)
    yield from _unknown(kind, "tag", ours, names.TAGS)
    yield from _unknown(kind, "parameter", given, names.PARAMETERS)
    yield from _unknown(kind, "artifact", files, names.ARTIFACTS)


def _unknown(kind: Of, what: str, found: Iterable[str], said: Vocabulary) -> Iterator[str]:
    known = (*said.get(Of.EVERY, ()), *said.get(kind, ()))
    for name in found:
        if not any(fits(one, name) for one in known):
            yield f"{kind}: {what} {name}"
