"""What a user sees while a step runs: lines, progress with time left, a table at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from gauntlet.masking import mask
from gauntlet.output import fitting

WIDTH = 120
"""Columns where there is no terminal to ask."""

console = Console(highlight=False)
if not console.is_terminal:
    console.width = WIDTH


def say(line: str) -> None:
    """Print one line; square brackets are no markup."""
    console.print(mask(line), markup=False, soft_wrap=True)


class _LogLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


def show_log() -> None:
    """Show the project's own log records (fetches, damaged caches) as lines."""
    logger = logging.getLogger("gauntlet")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(_LogLines())


class Advance(Protocol):
    """Moves a bar on."""

    def __call__(self, news: str, units: int = 1) -> None:
        """Show that more units are done, and what is new."""


@contextmanager
def progress(description: str, total: int) -> Iterator[Advance]:
    """Show a bar with the time left; call what is yielded after some units, with their news."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("time left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[news]}"),
        console=console,
    )
    with bar:
        task = bar.add_task(description, total=total, news="")
        yield lambda news, units=1: bar.update(task, advance=units, news=news)


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, whole: a narrow terminal scrolls rather than losing digits."""
    table = Table(title=title, title_justify="left")
    shown = [[fitting(text, console.file) for text in row] for row in (header, *rows)]
    for name in shown[0]:
        table.add_column(name, no_wrap=True)
    for row in shown[1:]:
        table.add_row(*row)
    widths = [max(map(len, column)) + 3 for column in zip(*shown, strict=True)]
    Console(width=max(console.width, sum(widths) + 1)).print(table, crop=False)
