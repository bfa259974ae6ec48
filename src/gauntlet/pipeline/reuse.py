"""Reuse a finished run, or compute the step under its lock and say why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from filelock import Timeout

from gauntlet.pipeline.console import say
from gauntlet.tracking.finished import SealedRun
from gauntlet.tracking.step_cache import Fingerprint, look_up
from gauntlet.training.runtime import configure_tensorflow


@dataclass
class Reuse:
    """Says what is reused and what is computed.

    Attributes:
        at_once: say it per step; else for many steps in a line at the end.
        silent: say only what is computed, and that it is.
    """

    at_once: bool = True
    silent: bool = False
    _news: Counter[str] = field(default_factory=Counter)

    def reuse_or_compute(self, fingerprint: Fingerprint, compute: Callable[[], None]) -> SealedRun:
        """Return the finished run of a step, computing it if none is whole.

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
            found = look_up(fingerprint)
            if isinstance(found, str):
                return self._compute(fingerprint, compute, reason=found)
            self._tell(fingerprint, "reused", f"run {found.id}")
            return found
        finally:
            lock.release()

    def say_counts(self, what: str) -> None:
        """Print how many steps were reused, and how many computed for which reason."""
        for news, count in self._news.items():
            say(f"{what}: {count} {news}")

    def _compute(
        self, fingerprint: Fingerprint, compute: Callable[[], None], reason: str
    ) -> SealedRun:
        self._tell(fingerprint, "computed", f"because: {reason}")
        configure_tensorflow()
        compute()
        found = look_up(fingerprint)
        if isinstance(found, str):
            raise RuntimeError(f"{fingerprint} left no finished run: {found}")
        return found

    def _tell(self, fingerprint: Fingerprint, what: str, detail: str) -> None:
        if self.at_once and not (self.silent and what == "reused"):
            say(f"{fingerprint}: {what} {detail}")
        self._news[what if what == "reused" else f"{what} {detail}"] += 1
