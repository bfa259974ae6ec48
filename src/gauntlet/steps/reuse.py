"""Reuse a finished run, or compute the step under its lock and say why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from filelock import Timeout

from gauntlet.runtime import configure_tensorflow
from gauntlet.steps.console import say
from gauntlet.tracking.step_cache import Fingerprint, find_run, reason_for_miss


@dataclass
class Reuse:
    """Says what is reused and what is computed: at once, or for many steps in a line at the end."""

    at_once: bool = True
    _news: Counter[str] = field(default_factory=Counter)

    def reuse_or_compute(self, fingerprint: Fingerprint, compute: Callable[[], None]) -> str:
        """Return the id of the finished run of a step, computing it if there is none.

        `compute` must end with a finished run of this fingerprint. Two processes of one machine
        that want the same step compute it once: the second waits.
        """
        lock = fingerprint.lock()
        try:
            lock.acquire(blocking=False)
        except Timeout:
            say(f"waiting: another process computes {fingerprint}")
            lock.acquire()
        try:
            return self._find(fingerprint) or self._compute(fingerprint, compute)
        finally:
            lock.release()

    def say_counts(self, what: str) -> None:
        """Print how many steps were reused, and how many computed for which reason."""
        for news, count in self._news.items():
            say(f"{what}: {count} {news}")

    def _find(self, fingerprint: Fingerprint) -> str | None:
        run_id = find_run(fingerprint)
        if run_id is not None:
            self._tell(fingerprint, "reused", f"run {run_id}")
        return run_id

    def _compute(self, fingerprint: Fingerprint, compute: Callable[[], None]) -> str:
        self._tell(fingerprint, "computed", f"because: {reason_for_miss(fingerprint)}")
        configure_tensorflow()
        compute()
        run_id = find_run(fingerprint)
        if run_id is None:
            raise RuntimeError(f"{fingerprint} left no finished run")
        return run_id

    def _tell(self, fingerprint: Fingerprint, what: str, detail: str) -> None:
        if self.at_once:
            say(f"{fingerprint}: {what} {detail}")
        self._news[what if what == "reused" else f"{what} {detail}"] += 1
