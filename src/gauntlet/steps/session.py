"""What every entry point does around its work: open the store, name the device, close up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gauntlet.steps.console import say, show_log
from gauntlet.tracking.runs import mark_entry_as_reuse
from gauntlet.tracking.store import open_store, ui_command


@contextmanager
def session(entry_point: str) -> Iterator[str]:
    """Open the tracking store; yield the command that shows the runs.

    Raises:
        TrackingError: the store cannot be reached or written.
    """
    show_log()
    uri = open_store()
    say(f"gauntlet {entry_point}: tracking to {uri}")
    yield ui_command(uri)
    mark_entry_as_reuse(entry_point)
