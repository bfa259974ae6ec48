"""What every entry point does around its work: open the store, name the device, close up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gauntlet.masking import mask_address
from gauntlet.steps.console import say, show_log
from gauntlet.tracking.runs import end_untaken_entry, gpu_metrics_are_logged, mark_entry_as_reuse
from gauntlet.tracking.store import open_store, ui_command


@contextmanager
def session(entry_point: str) -> Iterator[str]:
    """Open the tracking store; yield the command that shows the runs.

    Raises:
        TrackingError: the store cannot be reached or written.
    """
    show_log()
    uri = open_store()
    say(f"gauntlet {entry_point}: tracking to {mask_address(uri)}")
    if not gpu_metrics_are_logged():
        say("no GPU: GPU metrics are not logged")
    try:
        yield ui_command(uri)
    except BaseException as error:
        end_untaken_entry("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    mark_entry_as_reuse(entry_point)
