"""A name that a run of the store may hold, and what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """The name of a metric, tag, parameter or artifact.

    Attributes:
        pattern: the name; `<...>` stands for any text.
        meaning: what it says.
        unit: of a metric.
        when: where or when it is written, if not always.
    """

    pattern: str
    meaning: str
    unit: str = ""
    when: str = ""
