"""The commands that README, CONTRIBUTING, the manual and `--help` show, as the texts have them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from gauntlet.__main__ import _examples
from gauntlet.catalogue.entry_points import ENTRY_POINTS

ROOT = Path(__file__).resolve().parents[1]
TEXTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md")))
PROGRAMS = ("mlflow", "python", "make")
BLOCK = re.compile(r"^(?: {4}| {7})(?! )(.+)$", re.MULTILINE)
"""A line of code: indented, also below a numbered step."""

SPAN = re.compile(r"`([^`]+)`")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")

PLACEHOLDERS = {
    "RUN_ID,RUN_ID": f"{'a' * 32},{'b' * 32}",
    "runs=...": f"runs={'a' * 32},{'b' * 32}",
    "study=...": "study=funn",
    "psycopg://...": "psycopg://user@host/name",
    "-P name=value": "-P seed=1",
}
"""What a reader must fill in."""


def commands() -> list[list[str]]:
    """Return every command as words, each once: of `mlflow`, `python -m gauntlet` and `make`."""
    found = {shlex.join(words): words for words in _shown() if words and words[0] in PROGRAMS}
    return list(found.values())


def fragments() -> list[list[str]]:
    """Return what the texts show of commands that stand elsewhere: parameters alone."""
    found = {shlex.join(words): words for words in _shown() if words and words[0] == "-P"}
    return list(found.values())


def parameters(words: list[str]) -> dict[str, str]:
    """Return the values behind `-P`."""
    given = (word for flag, word in pairwise(words) if flag == "-P")
    return dict(word.split("=", 1) for word in given)


def _shown() -> Iterator[list[str]]:
    for text in [*(path.read_text() for path in TEXTS), *_helps()]:
        blocks = BLOCK.findall(text)
        for code in [*blocks, *SPAN.findall(BLOCK.sub("", text))]:
            yield _words(code)


def _helps() -> Iterator[str]:
    for entry in ENTRY_POINTS.values():
        lines = _examples(entry).splitlines()
        yield "\n".join(f"  {line}" for line in lines)


def _words(code: str) -> list[str]:
    """Split as a shell does; a text that is no command may not be split at all."""
    code = " ".join(code.split())
    for placeholder, value in PLACEHOLDERS.items():
        code = code.replace(placeholder, value)
    try:
        words = shlex.split(code, comments=True)
    except ValueError:
        return []
    while words and ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    return words
