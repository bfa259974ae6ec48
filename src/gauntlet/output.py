"""Standard output and error that never fail a run: plain characters, or silence, instead."""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

PLAIN = "gauntlet.plain"
"""The error handler that writes what an encoding lacks in characters that each one has."""

_SUBSTITUTES = {
    "±": "+/-",
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "→": "->",
    "…": "...",
    "ε": "eps",
    "–": "-",
    "—": "-",
    "−": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "•": "*",
    "·": ".",
    "∞": "inf",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "█": "#",
    "✓": "v",
}


def never_fail() -> None:
    """Make the process's own output streams forgiving, where they are still its own."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _nowhere(number))
        elif stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _forgiving(stream))


def fitting(text: str, stream: IO[str]) -> str:
    """Return a text as a stream will show it: a table is laid out by what is seen."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, PLAIN).decode(encoding)


def _nowhere(number: int) -> IO[str]:
    """Return a stream for one that was closed, whose number no file of ours must get."""
    with suppress(OSError):
        while os.open(os.devnull, os.O_RDWR) < number:
            pass
    return Path(os.devnull).open("w", encoding="utf-8")


def _forgiving(stream: Any) -> IO[str]:
    stream.flush()
    raw = _Forgiving(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        stream.encoding,
        PLAIN,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Forgiving(io.FileIO):
    """A stream whose reader may be gone, or its disk full: what it cannot take is dropped."""

    def write(self, data: Any) -> int:
        """Write, or pretend to."""
        try:
            written = super().write(data)
        except OSError:
            return memoryview(data).nbytes
        return memoryview(data).nbytes if written is None else written


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    """Return a character without its accents, or what stands for it, or a question mark."""
    text = unicodedata.normalize("NFD", _SUBSTITUTES.get(character, character))
    return text.encode("ascii", "ignore").decode("ascii") or "?"


codecs.register_error(PLAIN, _plainly)
