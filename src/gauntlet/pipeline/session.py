"""What every entry point does around its work: open the store, say where it is, close up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gauntlet.masking import mask_address
from gauntlet.pipeline.console import say, show_log
from gauntlet.tracking.entry_run import end_untaken_entry, mark_entry_as_reuse
from gauntlet.tracking.living import end_dead_runs
from gauntlet.tracking.patience import given_up, hurry
from gauntlet.tracking.runs import gpu_metrics_are_logged
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
        end_dead_runs()
        yield ui_command(uri)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        if interrupted:
            hurry()
        end_untaken_entry("KILLED" if interrupted else "FAILED")
        if interrupted and (reason := given_up()):
            raise KeyboardInterrupt(f"its runs are not ended: {reason}") from None
        raise
    mark_entry_as_reuse(entry_point)
