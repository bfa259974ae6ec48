"""The second paper's tables 1 and 2, its numbers beside ours, and its curves over steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from gauntlet.evaluation.figures import Curve, draw_bars, draw_rates
from gauntlet.evaluation.pictures import as_png
from gauntlet.evaluation.quantities import NOISE_LEVEL, SUCCESS_RATE
from gauntlet.evaluation.statistics import Interval
from gauntlet.papers.evidence import Evidence
from gauntlet.papers.vigouroux2018.plan import STEPS, STRONG_EPSILON, STRONGEST
from gauntlet.report.claims.page import ranking_table
from gauntlet.report.claims.published import Published, published_numbers
from gauntlet.report.claims.ranking import Survivors, mean_rate, n_images, ranking, survivors
from gauntlet.report.claims.results import Key, Results, first, measured
from gauntlet.report.document.model import Figure, Number, Section, Table, Text

NETWORKS = ("classic", "funn")


class Line(NamedTuple):
    """A line of table 1 or of section 4.3: an attack, and the part of the plan that has it."""

    label: str
    part: str
    attack: str


TABLE_1 = (
    Line("DeepFool L2, 50 steps", "table 1", "deepfool_l2"),
    Line("DeepFool Linf, 50 steps", "table 1", "deepfool_linf"),
    Line("FGSM, epsilon 0.005", "table 1", "fgsm"),
    Line("Iterative, epsilon 0.005", "table 1", "bim"),
    Line("Single Pixel", "pixel", "single_pixel"),
    Line("LocalSearch, lowest score (as in 2018)", "lowest", "local_search"),
    Line("LocalSearch, highest score (as intended)", "highest", "local_search"),
    Line("DeepFool L2, 200 steps", "steps 200", "deepfool_l2"),
    Line("DeepFool L2, 1000 steps", "steps 1000", "deepfool_l2"),
    Line("DeepFool Linf, 200 steps", "steps 200", "deepfool_linf"),
    Line("DeepFool Linf, 1000 steps", "steps 1000", "deepfool_linf"),
    Line("Carlini-Wagner L2", "cw", "cw_l2"),
)
"""Table 1, then section 4.3, then an attack that the paper does not have."""

TABLE_2 = TABLE_1[1:4]
VIEWS = (("none", "white_box"), ("magnet", "gray_box"), ("magnet", "white_box"))
"""Of MagNet in table 2, which the paper evaluates in gray_box."""

PUBLISHED_STEPS = {"table 1": 50, "steps 200": 200, "steps 1000": 1000}
"""Parts of the plan for which section 4.3 prints DeepFool's success rates -> number of steps."""


def headline(results: Results) -> list[str]:
    """Return a sentence per network: its robust accuracy under the strong attacks."""
    lines = []
    for network, seeds in _survivors(results).items():
        lines.append(
            f"**{network}: robust accuracy {mean_rate(seeds)} under `white_box` at epsilon "
            f"{STRONG_EPSILON:g}, worst case over {', '.join(STRONGEST)}, example by example "
            f"({n_images(seeds)} images).**"
        )
    return lines


def sections(evidence: Evidence) -> Iterator[Section]:
    """Yield the tables and figures, the published numbers beside ours; gaps are left out.

    The published numbers are read from the claims.
    """
    results = evidence.results
    published = published_numbers(evidence.claims)
    yield Section(
        "Headline",
        [
            Text("The networks on the same images; a difference inside the noise is no ranking."),
            ranking_table(ranking(_survivors(results))),
        ],
    )
    yield _section_of_table_1(results, published)
    steps = Figure(
        "steps",
        as_png(draw_rates(_steps(results, published), "steps", "success rate")),
        f"Section 4.3: success rate by number of steps ({', '.join(map(str, STEPS))}).",
    )
    yield Section("DeepFool's steps", [steps])
    yield _section_of_table_2(results, published)


def _section_of_table_1(results: Results, published: Published) -> Section:
    table = Table(
        "table_1",
        ["attack", "images", "classic", "classic, paper", "FUNN", "FUNN, paper"],
        list(_table_1(results, published)),
        f"Success rate over {SUCCESS_RATE.over} (their number: images); noise level over "
        f"{NOISE_LEVEL.over}, L2 with pixels in [0, 1]. Brackets: 95 % intervals.",
    )
    bars = Figure(
        "table_1",
        as_png(draw_bars(_bars(results, published), "success rates")),
        "Success rates, ours beside the paper's.",
    )
    said = Text("Success rate / noise level (mean L2 of successes).")
    return Section("Table 1 and section 4.3", [said, table, bars])


def _section_of_table_2(results: Results, published: Published) -> Section:
    said = Text(
        "Success rates. The paper sets MagNet's own evaluation, whose attacker does not know of "
        "the defence (oblivious), beside an attacker who knows all of FUNN."
    )
    table = Table(
        "table_2",
        [
            "attack",
            "undefended",
            "MagNet, oblivious",
            "MagNet, white box",
            "MagNet, paper",
            "FUNN, white box",
            "FUNN, paper",
        ],
        list(_table_2(results, published)),
        f"Success rates over {SUCCESS_RATE.over}. Brackets: 95 % intervals.",
    )
    return Section("Table 2", [said, table])


def _key(network: str, part: str, attack: str, *view: str) -> Key:
    return Key(network, part, attack, *(view or ("features", "white_box")))


def _survivors(results: Results) -> dict[str, Survivors]:
    """Return, per network, which images withstand every strong attack."""
    found: dict[str, Survivors] = {}
    for network in NETWORKS:
        cells = [results.cells.get(_key(network, "autoattack", a), {}) for a in STRONGEST]
        if left := survivors(cells, STRONG_EPSILON):
            found[network] = left
    return found


def _rate(results: Results, key: Key) -> Interval | None:
    """Return the mean success rate over seeds; None: not measured."""
    cells = results.cells.get(key, {})
    return measured(cells.values(), SUCCESS_RATE) if cells else None


def _table_1(results: Results, published: Published) -> Iterator[list[str]]:
    for line in TABLE_1:
        keys = [_key(network, line.part, line.attack) for network in NETWORKS]
        if not all(key in results.cells for key in keys):
            continue
        images = str(len(first(results.cells[keys[0]]).labels))
        pairs = ((_ours(results, key), _printed(published, key)) for key in keys)
        yield [line.label, images, *(text for pair in pairs for text in pair)]


def _ours(results: Results, key: Key) -> str:
    rate = _percent(_rate(results, key))
    level = measured(results.cells[key].values(), NOISE_LEVEL).value
    if not isinstance(rate, Number) or math.isnan(level):
        return rate
    return Number(f"{rate} / {level:.3g}", {**rate.parts, NOISE_LEVEL.name: level})


def _printed(published: Published, key: Key) -> str:
    """Return the published success rate and noise level, as far as they were printed."""
    rate = published.get((key, SUCCESS_RATE.name))
    if rate is None:
        return ""
    level = published.get((key, NOISE_LEVEL.name), math.nan)
    text = f"{100 * rate:.4g} %" + ("" if math.isnan(level) else f" / {level:.3g}")
    return Number(text, {"value": rate, NOISE_LEVEL.name: level})


def _table_2(results: Results, published: Published) -> Iterator[list[str]]:
    for line in TABLE_2:
        magnet = [_key("magnet", "table 2", line.attack, *view) for view in VIEWS]
        funn = _key("funn", line.part, line.attack)
        yield [
            line.label,
            *(_percent(_rate(results, key)) for key in magnet),
            _printed_rate(published, magnet[1]),
            _percent(_rate(results, funn)),
            _printed_rate(published, funn),
        ]


def _printed_rate(published: Published, key: Key) -> str:
    rate = published[key, SUCCESS_RATE.name]
    return Number(f"{100 * rate:.3g} %", {"value": rate})


def _bars(
    results: Results, published: Published
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return success rates as bars: series -> line -> (value, low, high)."""
    series: dict[str, dict[str, tuple[float, float, float]]] = {}
    for line in TABLE_1:
        for network in NETWORKS:
            key = _key(network, line.part, line.attack)
            if ours := _rate(results, key):
                series.setdefault(f"{network}, ours", {})[line.label] = ours
            rate = published.get((key, SUCCESS_RATE.name))
            if rate is not None:
                series.setdefault(f"{network}, paper", {})[line.label] = (rate, rate, rate)
    return series


def _steps(results: Results, published: Published) -> dict[str, Curve]:
    """Return success rates by DeepFool's steps, ours and the paper's."""
    curves: dict[str, Curve] = {}
    attacks = ("deepfool_l2", "deepfool_linf")
    for network in NETWORKS:
        for attack in attacks:
            rates = {n: _rate(results, _key(network, f"steps {n}", attack)) for n in STEPS}
            known = {float(n): rate.value for n, rate in rates.items() if rate}
            curves[f"{network}, {attack}"] = (list(known), list(known.values()))
    for attack in attacks:
        points = {
            float(n): published[key, SUCCESS_RATE.name]
            for part, n in PUBLISHED_STEPS.items()
            if ((key := _key("funn", part, attack)), SUCCESS_RATE.name) in published
        }
        curves[f"FUNN, {attack}, paper"] = (list(points), list(points.values()))
    return curves


def _percent(rate: Interval | None) -> str:
    if rate is None:
        return "not measured"
    text = f"{100 * rate.value:.2f} % [{100 * rate.low:.2f}, {100 * rate.high:.2f}]"
    return Number.of(rate, text)
