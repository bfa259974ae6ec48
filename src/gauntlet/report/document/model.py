"""What a report says, once: paragraphs, tables, figures in sections. Pages are rendered from it."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from gauntlet.evaluation.statistics import Interval


@dataclass(frozen=True)
class Text:
    """A paragraph; `backticks` mark code, **two stars** what is strong, [text](#anchor) a link."""

    text: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Items:
    """A list; each line is marked up like a paragraph."""

    lines: Sequence[str]
    kind: ClassVar[str] = "items"


@dataclass(frozen=True)
class Commands:
    """Lines to type."""

    lines: Sequence[str]
    kind: ClassVar[str] = "commands"


class Number(str):
    """The text of a table cell that also carries the numbers in it, unrounded.

    Pages show the text; CSV files have a column for each of the numbers too.

    Attributes:
        parts: name -> number, such as `value`, `low` and `high` of an interval.
    """

    __slots__ = ("parts",)
    parts: Mapping[str, float]

    def __new__(cls, text: str, parts: Mapping[str, float]) -> Number:
        """Return the text with its numbers; those that are undefined (NaN) are left out."""
        number = super().__new__(cls, text)
        number.parts = {name: value for name, value in parts.items() if not math.isnan(value)}
        return number

    @classmethod
    def of(cls, interval: Interval, text: str | None = None) -> Number:
        """Return a number with its interval, shown as `text` or as intervals are shown."""
        return cls(str(interval) if text is None else text, interval._asdict())


@dataclass(frozen=True)
class Table:
    """Text in rows; cells are marked up like paragraphs, without line breaks.

    Attributes:
        name: of its files, without a suffix: letters, digits, `_` and `-`; unique in a document.
        header: titles of the columns.
        rows: a cell per column; a `Number` where the text contains an interval.
        caption: what the numbers are, and what they count over.
    """

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        if self.name != slug(self.name):
            raise ValueError(f"expected a table named like {slug(self.name)}; received {self.name}")

    @property
    def label(self) -> str:
        """The caption and where the files are, for pages."""
        return f"{self.caption} (`tables/{self.name}.csv`, `.tex`)".strip()


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        name: of its file, without `.png`.
        png: its content.
        caption: what it shows, and the runs behind it.
    """

    name: str
    png: bytes
    caption: str
    kind: ClassVar[str] = "figure"

    @property
    def uri(self) -> str:
        """The picture as an address that needs no network."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


Block = Text | Items | Commands | Table | Figure


class Section(NamedTuple):
    """A heading and the blocks under it; `level` 2 is the highest."""

    title: str
    blocks: Sequence[Block]
    level: int = 2

    @property
    def anchor(self) -> str:
        """The address of the section in the page."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


class Document(NamedTuple):
    """A whole report."""

    title: str
    abstract: Sequence[str]
    sections: Sequence[Section]

    @property
    def figures(self) -> Iterator[Figure]:
        """Every figure, in order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Figure))

    @property
    def tables(self) -> Iterator[Table]:
        """Every table, in order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Table))


def slug(text: str) -> str:
    """Return a text as a part of a file's name: letters, digits, `_` and `-` alone."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_")


LINK = re.compile(r"\[([^\[\]]+)\]\((#[\w-]+)\)")
CODE = re.compile(r"`(.+?)`")
STRONG = re.compile(r"\*\*(.+?)\*\*")
"""The markup of paragraphs and cells."""


def plain(text: str) -> str:
    """Return a text without its markup."""
    for mark in (LINK, CODE, STRONG):
        text = mark.sub(r"\1", text)
    return text
