"""The step cache: a finished run stands for its step while nothing that computes it changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from filelock import FileLock
from mlflow.entities import Run

from gauntlet.catalogue.parameters import Json, Values
from gauntlet.errors import DamagedRunError
from gauntlet.masking import mask_address
from gauntlet.private_files import private_lock
from gauntlet.tracking import names
from gauntlet.tracking.artifacts import model_file, stored_model
from gauntlet.tracking.finished import SealedRun, sealed
from gauntlet.tracking.pages import search
from gauntlet.tracking.provenance import (
    arithmetic_settings,
    package_versions,
    source_digests,
)
from gauntlet.tracking.store import checkpoint_path, lock_path, tracking_uri
from gauntlet.training.checkpoint import Checkpoint

RUNTIME = "gauntlet.training.runtime"
"""Sets TensorFlow up, determinism included, before any step is computed."""


@dataclass(frozen=True)
class Fingerprint:
    """All that decides a step's result.

    Attributes:
        step: `autoencoder`, `classifier`, `cell`, ...
        subject: what the step makes, for people: `vanilla`, `dense on encoded`, ...
        config: resolved settings that the step reads.
        inputs: digests of the data and the upstream models.
        computed_by: modules whose source, with all that they import, computes the step.
    """

    step: str
    subject: str
    config: Values
    inputs: Mapping[str, str]
    computed_by: tuple[str, ...]

    @cached_property
    def parts(self) -> Json:
        """Name -> value of each part, flat."""
        sources = source_digests(*self.computed_by, RUNTIME)
        return {
            **self.config,
            **{f"input {name}": digest for name, digest in self.inputs.items()},
            **{f"package {name}": version for name, version in package_versions().items()},
            **{f"environment {name}": value for name, value in arithmetic_settings().items()},
            **{f"source {name}": digest for name, digest in sources.items()},
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of step and parts."""
        text = json.dumps([self.step, self.parts], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def tags(self) -> dict[str, str]:
        """What a run of this step carries, for later look-ups and for the reason of a miss."""
        return {
            names.STEP: self.step,
            names.SUBJECT: self.subject,
            names.FINGERPRINT: self.digest,
            names.FINGERPRINT_PARTS: json.dumps(self.parts, sort_keys=True),
        }

    def __str__(self) -> str:
        return f"{self.step} {self.subject}"

    def lock(self) -> FileLock:
        """Return the lock that lets one process of this machine compute the step."""
        return private_lock(lock_path(self._key))

    def checkpoint(self, run_id: str) -> Checkpoint:
        """Return the checkpoint of the training that is this step, for the lock's holder."""
        return Checkpoint(checkpoint_path(self._key), self.digest, run_id)

    @property
    def _key(self) -> str:
        return f"{mask_address(tracking_uri())} {self.digest}"


def look_up(fingerprint: Fingerprint) -> SealedRun | str:
    """Return the newest finished run of a step that is whole, or the reason why there is none."""
    damage = ""
    for run in _finished(f"tags.`{names.FINGERPRINT}` = '{fingerprint.digest}'"):
        try:
            return _whole(run)
        except DamagedRunError as error:
            damage = damage or str(error)
    return damage or _difference(fingerprint)


def _whole(run: Run) -> SealedRun:
    """Return a run of which all is there: tags, parameters, artifacts, and its model if it has one.

    Raises:
        DamagedRunError: something is missing or was changed.
    """
    found = sealed(run)
    found.check()
    if names.MODEL_ID in found.run.tags:
        model_file(stored_model(found))
    return found


def _difference(fingerprint: Fingerprint) -> str:
    """Say what differs from the newest finished run of the same step and subject."""
    subject = fingerprint.subject.replace("'", "")
    same = f"tags.`{names.STEP}` = '{fingerprint.step}' AND tags.`{names.SUBJECT}` = '{subject}'"
    for run in islice(_finished(same), 1):
        old, new = json.loads(run.data.tags.get(names.FINGERPRINT_PARTS, "{}")), fingerprint.parts
        changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if not changed:
            return f"tag {names.FINGERPRINT} of run {run.info.run_id} was changed or deleted"
        return ", ".join(_change(name, old.get(name), new.get(name)) for name in changed[:3]) + (
            f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        )
    return "no finished run of it yet"


def _change(name: str, old: object, new: object) -> str:
    if name.startswith(("source ", "input ")):
        return f"{name} changed"
    return f"{name} {old} -> {new}"


def _finished(condition: str) -> Iterator[Run]:
    """Yield finished runs, the newest first."""
    finished = f"{condition} AND attributes.status = 'FINISHED'"
    return search(finished, "attributes.start_time DESC", page=1)
