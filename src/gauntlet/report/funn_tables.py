"""The second paper's tables 1 and 2, its numbers beside ours; needs no TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gauntlet.config.tables import STRONG
from gauntlet.evaluation.statistics import Interval, over_seeds, wilson, worst_case
from gauntlet.report.attack_summary import markdown_table
from gauntlet.report.cell_result import CellResult


class Key(NamedTuple):
    """Where a measurement stands: network, variant of the attack, attack, defence, threat model."""

    network: str
    part: str
    attack: str
    defence: str = "features"
    threat_model: str = "white_box"


class Published(NamedTuple):
    """A number of the paper: success rate in [0, 1], noise level (L2); NaN: not given."""

    success_rate: float
    noise_level: float = math.nan


class Line(NamedTuple):
    """A line of table 1 or of section 4.3."""

    label: str
    part: str
    attack: str
    classic: Published | None
    funn: Published | None


TABLE_1 = (
    Line("DeepFool L2, 50 steps", "steps 50", "deepfool_l2",
         Published(0.9441, 1.25), Published(0.0054, 0.0075)),
    Line("DeepFool Linf, 50 steps", "steps 50", "deepfool_linf",
         Published(1.0, 1.81), Published(0.0413, 1.13)),
    Line("FGSM, epsilon 0.005", "steps 50", "fgsm",
         Published(0.0041, 0.07), Published(0.0161, 0.04)),
    Line("Iterative, epsilon 0.005", "steps 50", "bim",
         Published(0.0104, 0.08), Published(0.0125, 0.04)),
    Line("Single Pixel", "pixel", "single_pixel", Published(0.0917, 1.0), Published(0.0472, 1.0)),
    Line("LocalSearch, lowest score (as in 2018)", "lowest", "local_search",
         Published(0.4441, 5.22), Published(0.2751, 9.71)),
    Line("LocalSearch, highest score (as intended)", "highest", "local_search", None, None),
    Line("DeepFool L2, 200 steps", "steps 200", "deepfool_l2", None, Published(0.0135)),
    Line("DeepFool L2, 1000 steps", "steps 1000", "deepfool_l2", None, Published(0.1525, 0.73)),
    Line("DeepFool Linf, 200 steps", "steps 200", "deepfool_linf", None, Published(0.8920)),
    Line("DeepFool Linf, 1000 steps", "steps 1000", "deepfool_linf", None, None),
    Line("Carlini-Wagner L2", "strong", "cw_l2", None, None),
)  # fmt: skip
"""Table 1, then section 4.3, then an attack that the paper does not have."""

TABLE_2 = (
    ("DeepFool Linf, 50 steps", "deepfool_linf", 0.006, 0.0413),
    ("FGSM, epsilon 0.005", "fgsm", 0.032, 0.0161),
    ("Iterative, epsilon 0.005", "bim", 0.048, 0.0125),
)
"""Label, attack, and the paper's success rates of MagNet and FUNN."""


@dataclass(frozen=True)
class Tables:
    """All cells: for each key one result a seed."""

    cells: Mapping[Key, Sequence[CellResult]]

    def rate(self, key: Key) -> Interval:
        """Return the mean success rate over seeds; of one seed, the interval is over images."""
        return _over_seeds([cell.success_rate for cell in self.cells[key]])

    def noise_level(self, key: Key) -> float:
        """Return the mean noise level over the seeds that have a success; NaN without any."""
        levels = [c.noise_level for c in self.cells[key] if not math.isnan(c.noise_level)]
        return float(np.mean(levels)) if levels else math.nan

    def ensemble(self, network: str) -> Interval:
        """Return robust accuracy against the strong attacks together."""
        parts = [self.cells[Key(network, "strong", attack)] for attack in STRONG]
        seeds = zip(*parts, strict=True)
        return _over_seeds(
            [wilson(worst_case([cell.correct[-1] for cell in cells])) for cells in seeds]
        )


def table_1(tables: Tables) -> Iterator[list[str]]:
    """Yield the lines of table 1: success rate / noise level."""
    for line in TABLE_1:
        classic, funn = (Key(n, line.part, line.attack) for n in ("classic", "funn"))
        yield [
            line.label,
            str(len(tables.cells[funn][0].labels)),
            f"{_percent(tables.rate(classic))} / {tables.noise_level(classic):.3g}",
            _published(line.classic),
            f"{_percent(tables.rate(funn))} / {tables.noise_level(funn):.3g}",
            _published(line.funn),
        ]


HEADER_1 = ("attack", "images", "classic", "classic, paper", "FUNN", "FUNN, paper")


def table_2(tables: Tables) -> Iterator[list[str]]:
    """Yield the lines of table 2: success rates of MagNet and FUNN."""
    for label, attack, magnet, funn in TABLE_2:
        views = (("none", "white_box"), ("magnet", "gray_box"), ("magnet", "white_box"))
        ours = [tables.rate(Key("magnet", "table 2", attack, *view)) for view in views]
        white_box = tables.rate(Key("funn", "steps 50", attack))
        yield [label, *map(_percent, ours), f"{100 * magnet:.3g} %", _percent(white_box),
               f"{100 * funn:.3g} %"]  # fmt: skip


HEADER_2 = ("attack", "undefended", "MagNet, oblivious", "MagNet, white box", "MagNet, paper",
            "FUNN, white box", "FUNN, paper")  # fmt: skip


def markdown(tables: Tables, notes: Sequence[str]) -> str:
    """Return both tables and the verdict of the strong attacks as Markdown."""
    return "\n".join([
        "# The second paper's tables", "", *(f"- {note}" for note in notes), "",
        "## Table 1: success rate / noise level (mean L2 of successes)", "",
        *markdown_table(HEADER_1, list(table_1(tables))), "",
        "## Table 2: success rate", "", *markdown_table(HEADER_2, list(table_2(tables))), "",
        *(f"**{line}**\n" for line in headlines(tables)),
    ])  # fmt: skip


def headlines(tables: Tables) -> Iterator[str]:
    """Yield what the strong attacks leave of each network."""
    for network in ("classic", "funn"):
        cell = tables.cells[Key(network, "strong", STRONG[0])][0]
        yield (
            f"{network}: robust accuracy {tables.ensemble(network)} under white_box at epsilon "
            f"{cell.epsilons[-1]:g} (worst case over {', '.join(STRONG)}, "
            f"{len(cell.labels)} images)"
        )


def as_json(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    """Return every measurement, one entry a seed, with the run that made it."""
    return {
        "/".join(key): [
            {
                "run_id": cell.run_id,
                "images": len(cell.labels),
                "success_rate": cell.success_rate._asdict(),
                "noise_level": None if math.isnan(cell.noise_level) else cell.noise_level,
                "robust_accuracy": cell.accuracies,
                "epsilons": cell.epsilons,
            }
            for cell in cells
        ]
        for key, cells in tables.cells.items()
    }


def bars(tables: Tables) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return success rates as bars: series -> line -> (value, low, high)."""
    series: dict[str, dict[str, tuple[float, float, float]]] = {}
    for line in TABLE_1:
        for network, paper in (("classic", line.classic), ("funn", line.funn)):
            ours = tables.rate(Key(network, line.part, line.attack))
            series.setdefault(f"{network}, ours", {})[line.label] = ours
            if paper is not None:
                rate = paper.success_rate
                series.setdefault(f"{network}, paper", {})[line.label] = (rate, rate, rate)
    return series


def _over_seeds(seeds: Sequence[Interval]) -> Interval:
    return seeds[0] if len(seeds) < 2 else over_seeds([seed.value for seed in seeds])


def _percent(rate: Interval) -> str:
    return f"{100 * rate.value:.2f} % [{100 * rate.low:.2f}, {100 * rate.high:.2f}]"


def _published(number: Published | None) -> str:
    if number is None:
        return ""
    noise = "" if math.isnan(number.noise_level) else f" / {number.noise_level:g}"
    return f"{100 * number.success_rate:.4g} %{noise}"
