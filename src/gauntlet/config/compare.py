"""Config of the entry point that sets finished runs side by side."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from gauntlet.config.base import EntryPointConfig

_RUN_ID = re.compile(r"[0-9a-f]{32}")


class CompareConfig(EntryPointConfig):
    """Compare finished attack runs: differences with intervals and tests, figures, one page."""

    example: ClassVar[tuple[str, str]] = ("runs", "RUN_ID,RUN_ID")

    runs: str = Field(
        description="ids of attack runs or of their cells, or a filter in MLflow's search syntax: "
        '\'tags.gauntlet.step = "attack" and params."config/seed" = "0"\''
    )
    epsilon: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = Field(
        "auto", description="budget of the tables; auto: 0.1 (lr_ attacks: 16/255), or the largest"
    )
    output: str = Field(
        "comparison", min_length=1, description="folder for compare.html, compare.md and figures/"
    )

    @field_validator("runs")
    @classmethod
    def _two_at_least(cls, text: str) -> str:
        ids = _ids(text)
        if not text.strip() or (ids and len(set(ids)) < 2):
            raise ValueError("expected at least two run ids, comma separated, or a filter of runs")
        return text

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs that were named, each once; empty: `runs` is a filter."""
        return tuple(dict.fromkeys(_ids(self.runs)))


def _ids(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    return words if all(map(_RUN_ID.fullmatch, words)) else []
