"""The step cache: a finished run stands for its step while nothing that computes it changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mlflow
from filelock import FileLock
from mlflow.entities import Run, ViewType

from gauntlet.checkpoint import Checkpoint
from gauntlet.masking import mask_address
from gauntlet.private_files import private_lock
from gauntlet.tracking.provenance import package_versions, source_digests
from gauntlet.tracking.store import checkpoint_path, lock_path, tracking_uri

FINGERPRINT = "gauntlet.fingerprint"
PARTS = "gauntlet.fingerprint_parts"
STEP = "gauntlet.step"
SUBJECT = "gauntlet.subject"


@dataclass(frozen=True)
class Fingerprint:
    """All that decides a step's result.

    Attributes:
        step: `autoencoder`, `classifier` or `cell`.
        subject: what the step makes, for people: `vanilla`, `dense on encoded`, ...
        config: resolved settings that the step reads.
        inputs: digests of the data and the upstream models.
        computed_by: modules whose source, with all that they import, computes the step.
    """

    step: str
    subject: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    computed_by: tuple[str, ...]

    @cached_property
    def parts(self) -> dict[str, Any]:
        """Name -> value of each part, flat."""
        sources = source_digests(*self.computed_by)
        return {
            **self.config,
            **{f"input {name}": digest for name, digest in self.inputs.items()},
            **{f"package {name}": version for name, version in package_versions().items()},
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
            STEP: self.step,
            SUBJECT: self.subject,
            FINGERPRINT: self.digest,
            PARTS: json.dumps(self.parts, sort_keys=True),
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


def find_run(fingerprint: Fingerprint) -> str | None:
    """Return the id of the newest finished run of this fingerprint."""
    run = _newest(f"tags.`{FINGERPRINT}` = '{fingerprint.digest}'")
    return None if run is None else str(run.info.run_id)


def reason_for_miss(fingerprint: Fingerprint) -> str:
    """Say what differs from the newest finished run of the same step and subject."""
    subject = fingerprint.subject.replace("'", "")
    run = _newest(f"tags.`{STEP}` = '{fingerprint.step}' AND tags.`{SUBJECT}` = '{subject}'")
    if run is None:
        return "no finished run of it yet"
    old, new = json.loads(run.data.tags.get(PARTS, "{}")), fingerprint.parts
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(_change(name, old.get(name), new.get(name)) for name in changed[:3]) + (
        f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    )


def _change(name: str, old: Any, new: Any) -> str:
    if name.startswith(("source ", "input ")):
        return f"{name} changed"
    return f"{name} {old} -> {new}"


def _newest(condition: str) -> Run | None:
    client = mlflow.MlflowClient()
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(
        experiments,
        f"{condition} AND attributes.status = 'FINISHED'",
        ViewType.ACTIVE_ONLY,
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    return runs[0] if runs else None
