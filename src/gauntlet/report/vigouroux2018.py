"""The second paper's tables 1 and 2, its numbers beside ours, and its curves over steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gauntlet.config.tables import STRONG
from gauntlet.config.vigouroux2018 import STEPS, STRONG_EPSILON
from gauntlet.evaluation.figures import draw_bars, draw_rates
from gauntlet.evaluation.pictures import as_png
from gauntlet.evaluation.statistics import Interval
from gauntlet.report.claims.results import Key, Results
from gauntlet.report.claims.verdicts import mean_rate, ranking, survivors
from gauntlet.report.document.model import Figure, Section, Table, Text

NETWORKS = ("classic", "funn")

STRONGEST = {**dict.fromkeys((*STRONG, "cw_l2"), "strong"), "fgsm": "sweep", "bim": "sweep"}
"""What the headline's worst case is taken over, and the part of the plan that has it; cw_l2 counts
where it stays in the Linf budget."""


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
    Line(
        "DeepFool L2, 50 steps",
        "table 1",
        "deepfool_l2",
        Published(0.9441, 1.25),
        Published(0.0054, 0.0075),
    ),
    Line(
        "DeepFool Linf, 50 steps",
        "table 1",
        "deepfool_linf",
        Published(1.0, 1.81),
        Published(0.0413, 1.13),
    ),
    Line(
        "FGSM, epsilon 0.005", "table 1", "fgsm", Published(0.0041, 0.07), Published(0.0161, 0.04)
    ),
    Line(
        "Iterative, epsilon 0.005",
        "table 1",
        "bim",
        Published(0.0104, 0.08),
        Published(0.0125, 0.04),
    ),
    Line("Single Pixel", "pixel", "single_pixel", Published(0.0917, 1.0), Published(0.0472, 1.0)),
    Line(
        "LocalSearch, lowest score (as in 2018)",
        "lowest",
        "local_search",
        Published(0.4441, 5.22),
        Published(0.2751, 9.71),
    ),
    Line("LocalSearch, highest score (as intended)", "highest", "local_search", None, None),
    Line("DeepFool L2, 200 steps", "steps 200", "deepfool_l2", None, Published(0.0135)),
    Line("DeepFool L2, 1000 steps", "steps 1000", "deepfool_l2", None, Published(0.1525, 0.73)),
    Line("DeepFool Linf, 200 steps", "steps 200", "deepfool_linf", None, Published(0.8920)),
    Line("DeepFool Linf, 1000 steps", "steps 1000", "deepfool_linf", None, None),
    Line("Carlini-Wagner L2", "strong", "cw_l2", None, None),
)
"""Table 1, then section 4.3, then an attack that the paper does not have."""

TABLE_2 = (
    ("DeepFool Linf, 50 steps", "deepfool_linf", 0.006, 0.0413),
    ("FGSM, epsilon 0.005", "fgsm", 0.032, 0.0161),
    ("Iterative, epsilon 0.005", "bim", 0.048, 0.0125),
)
"""Label, attack, and the paper's success rates of MagNet and FUNN."""


def headline(results: Results) -> list[str]:
    """Return what the strong attacks leave of each network."""
    lines = []
    for network, seeds in _survivors(results).items():
        lines.append(
            f"**{network}: robust accuracy {mean_rate(seeds)} under `white_box` at epsilon "
            f"{STRONG_EPSILON:g}, worst case over {', '.join(STRONGEST)}, example by example "
            f"({len(seeds[0])} images).**"
        )
    return lines


def sections(results: Results) -> Iterator[Section]:
    """Yield the tables and figures; what was not measured is left out."""
    yield Section(
        "Headline",
        [
            Text("The networks on the same images; a difference inside the noise is no ranking."),
            Table(["comparison"], [[str(one)] for one in ranking(_survivors(results))]),
        ],
    )
    rows = list(_table_1(results))
    yield Section(
        "Table 1 and section 4.3",
        [
            Text("Success rate / noise level (mean L2 of successes)."),
            Table(["attack", "images", "classic", "classic, paper", "FUNN", "FUNN, paper"], rows),
            Figure(
                "table_1",
                as_png(draw_bars(_bars(results), "success rates")),
                "Success rates, ours beside the paper's.",
            ),
        ],
    )
    yield Section(
        "DeepFool's steps",
        [
            Figure(
                "steps",
                as_png(draw_rates(_steps(results), "steps", "success rate")),
                f"Section 4.3: success rate by number of steps ({', '.join(map(str, STEPS))}).",
            ),
        ],
    )
    yield Section(
        "Table 2",
        [
            Text(
                "Success rates. The paper sets MagNet's own evaluation, whose attacker does not "
                "know of the defence (oblivious), beside an attacker who knows all of FUNN."
            ),
            Table(
                [
                    "attack",
                    "undefended",
                    "MagNet, oblivious",
                    "MagNet, white box",
                    "MagNet, paper",
                    "FUNN, white box",
                    "FUNN, paper",
                ],
                list(_table_2(results)),
            ),
        ],
    )


def _key(network: str, part: str, attack: str, *view: str) -> Key:
    return Key(network, part, attack, *(view or ("features", "white_box")))


def _survivors(results: Results) -> dict[str, list[NDArray[np.bool_]]]:
    """Return, per network, which images withstand every strong attack, one array per seed."""
    found = {}
    for network in NETWORKS:
        parts = [
            results.cells.get(_key(network, part, attack), ()) for attack, part in STRONGEST.items()
        ]
        if all(parts):
            found[network] = survivors(parts, STRONG_EPSILON)
    return found


def _rate(results: Results, key: Key) -> Interval | None:
    """Return the mean success rate over seeds; of one seed, the interval is over images."""
    cells = results.cells.get(key, ())
    return mean_rate([cell.flipped[-1] for cell in cells]) if cells else None


def _noise_level(results: Results, key: Key) -> float:
    """Return the mean noise level over the seeds that have a success; NaN without any."""
    levels = [cell.noise_level for cell in results.cells.get(key, ())]
    known = [level for level in levels if not math.isnan(level)]
    return sum(known) / len(known) if known else math.nan


def _table_1(results: Results) -> Iterator[list[str]]:
    for line in TABLE_1:
        keys = [_key(network, line.part, line.attack) for network in NETWORKS]
        if not all(key in results.cells for key in keys):
            continue
        classic, funn = (
            _percent(_rate(results, key)) + _noise(_noise_level(results, key)) for key in keys
        )
        images = str(len(results.cells[keys[0]][0].labels))
        yield [line.label, images, classic, _published(line.classic), funn, _published(line.funn)]


def _table_2(results: Results) -> Iterator[list[str]]:
    views = (("none", "white_box"), ("magnet", "gray_box"), ("magnet", "white_box"))
    for label, attack, magnet, funn in TABLE_2:
        ours = [_rate(results, _key("magnet", "table 2", attack, *view)) for view in views]
        white_box = _rate(results, _key("funn", "table 1", attack))
        yield [
            label,
            *map(_percent, ours),
            f"{100 * magnet:.3g} %",
            _percent(white_box),
            f"{100 * funn:.3g} %",
        ]


def _bars(results: Results) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return success rates as bars: series -> line -> (value, low, high)."""
    series: dict[str, dict[str, tuple[float, float, float]]] = {}
    for line in TABLE_1:
        for network, paper in zip(NETWORKS, (line.classic, line.funn), strict=True):
            if ours := _rate(results, _key(network, line.part, line.attack)):
                series.setdefault(f"{network}, ours", {})[line.label] = ours
            if paper is not None:
                rate = paper.success_rate
                series.setdefault(f"{network}, paper", {})[line.label] = (rate, rate, rate)
    return series


def _steps(results: Results) -> dict[str, tuple[list[float], list[float]]]:
    """Return success rates by DeepFool's steps, ours and the paper's."""
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for network in NETWORKS:
        for attack in ("deepfool_l2", "deepfool_linf"):
            rates = {n: _rate(results, _key(network, f"steps {n}", attack)) for n in STEPS}
            known = {float(n): rate.value for n, rate in rates.items() if rate}
            curves[f"{network}, {attack}"] = (list(known), list(known.values()))
    return curves | {
        name: ([float(n) for n in points], list(points.values()))
        for name, points in PUBLISHED_STEPS.items()
    }


PUBLISHED_STEPS = {
    "FUNN, deepfool_l2, paper": {50: 0.0054, 200: 0.0135, 1000: 0.1525},
    "FUNN, deepfool_linf, paper": {50: 0.0413, 200: 0.8920},
}
"""Section 4.3."""


def _percent(rate: Interval | None) -> str:
    if rate is None:
        return "not measured"
    return f"{100 * rate.value:.2f} % [{100 * rate.low:.2f}, {100 * rate.high:.2f}]"


def _published(number: Published | None) -> str:
    if number is None:
        return ""
    return f"{100 * number.success_rate:.4g} %{_noise(number.noise_level)}"


def _noise(level: float) -> str:
    return "" if math.isnan(level) else f" / {level:.3g}"
