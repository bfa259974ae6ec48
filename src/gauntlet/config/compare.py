"""Config of the entry point that sets finished runs side by side."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from gauntlet.catalogue.parameters import AUTO, REQUIRED, TEXT, Parameter, or_auto, real
from gauntlet.catalogue.units import L2_NORM
from gauntlet.config.config import Config

_RUN_ID = re.compile(r"[0-9a-f]{32}")


def _ids(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    return words if all(map(_RUN_ID.fullmatch, words)) else []


def _two_at_least(text: str) -> str:
    ids = _ids(text)
    if not text.strip() or (ids and len(set(ids)) < 2):
        raise ValueError("expected at least two run ids, comma separated, or a filter of runs")
    return text


RUNS = Parameter(
    "runs",
    Annotated[str, AfterValidator(_two_at_least)],
    REQUIRED,
    "ids of attack runs or of their cells, or a filter in MLflow's search syntax: "
    '\'tags.gauntlet.step = "attack" and params."config/seed" = "0"\'',
)
EPSILON = Parameter(
    "epsilon",
    or_auto(real(at_least=0, at_most=L2_NORM.whole)),
    AUTO,
    "budget of the tables; auto: 0.1 (lr_ attacks: 16/255, L2: 1.5), or the largest",
)
OUTPUT = Parameter(
    "output",
    TEXT,
    "comparison",
    "folder for compare.html, compare.md and figures/",
)


class CompareConfig(Config):
    """Compare finished attack runs."""

    entry_point = "compare"

    @classmethod
    def declare(cls) -> tuple[Parameter, ...]:
        """Return the parameters."""
        return RUNS, EPSILON, OUTPUT

    @property
    def runs(self) -> str:
        """Run ids, or a filter."""
        return str(self["runs"])

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs that were named, each once; empty: `runs` is a filter."""
        return tuple(dict.fromkeys(_ids(self.runs)))

    @property
    def epsilon(self) -> float | None:
        """Budget of the tables; None: the attacks' own reference."""
        return None if self["epsilon"] == AUTO else float(self["epsilon"])

    @property
    def output(self) -> str:
        """Folder of the report."""
        return str(self["output"])
