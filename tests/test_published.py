"""Published numbers are read from the claims, where they stand once."""

from __future__ import annotations

from typing import Any

import pytest
from made_cells import made_cell

from gauntlet.cells.result import CellResult
from gauntlet.errors import UsageError
from gauntlet.papers.evidence import Evidence
from gauntlet.papers.paper import PAPERS
from gauntlet.papers.vigouroux2018 import report as vigouroux2018
from gauntlet.papers.vigouroux2018.plan import STEPS
from gauntlet.report.claims.published import published_numbers
from gauntlet.report.claims.results import Key, Results
from gauntlet.report.claims.schema import PaperClaims, load_claims
from gauntlet.report.document.model import Number, Table


def _key(network: str, part: str, attack: str, *view: str) -> Key:
    return Key(network, part, attack, *(view or ("features", "white_box")))


def test_numbers_of_the_second_papers_tables() -> None:
    found = published_numbers(load_claims(PAPERS["vigouroux2018"].claims))
    expected = {
        (_key("classic", "table 1", "deepfool_l2"), "success_rate"): 0.9441,
        (_key("classic", "table 1", "deepfool_linf"), "success_rate"): 1.0,
        (_key("funn", "table 1", "deepfool_l2"), "noise_level"): 0.0075,
        (_key("classic", "table 1", "bim"), "noise_level"): 0.08,
        (_key("funn", "table 1", "fgsm"), "noise_level"): 0.04,
        (_key("funn", "pixel", "single_pixel"), "noise_level"): 1.0,
        (_key("funn", "lowest", "local_search"), "noise_level"): 9.71,
        (_key("funn", "steps 200", "deepfool_linf"), "success_rate"): 0.892,
        (_key("magnet", "table 2", "bim", "magnet", "gray_box"), "success_rate"): 0.048,
    }
    assert {place: found.get(place) for place in expected} == expected
    assert (_key("funn", "highest", "local_search"), "success_rate") not in found


def test_parts_with_published_steps_are_in_the_plan() -> None:
    parts = {f"steps {steps}" for steps in STEPS} | {"table 1"}
    assert set(vigouroux2018.PUBLISHED_STEPS) <= parts


def _cell(attack: str) -> CellResult:
    """Return a cell of ten images, of which two fall, with changes of norm 1."""
    return made_cell(attack, [range(2)], defence="features", epsilons=(0.005,), noise=1.0)


PRINTED = {
    "DeepFool L2, 50 steps": ("94.41 % / 1.25", "0.54 % / 0.0075"),
    "DeepFool Linf, 50 steps": ("100 % / 1.81", "4.13 % / 1.13"),
    "FGSM, epsilon 0.005": ("0.41 % / 0.07", "1.61 % / 0.04"),
    "Iterative, epsilon 0.005": ("1.04 % / 0.08", "1.25 % / 0.04"),
    "Single Pixel": ("9.17 % / 1", "4.72 % / 1"),
    "LocalSearch, lowest score (as in 2018)": ("44.41 % / 5.22", "27.51 % / 9.71"),
    "LocalSearch, highest score (as intended)": ("", ""),
    "DeepFool L2, 200 steps": ("", "1.35 %"),
    "DeepFool L2, 1000 steps": ("", "15.25 % / 0.73"),
    "DeepFool Linf, 200 steps": ("", "89.2 %"),
    "DeepFool Linf, 1000 steps": ("", ""),
    "Carlini-Wagner L2": ("", ""),
}
"""What the paper printed for its classic network and for FUNN."""


def test_second_papers_tables_show_what_it_printed_beside_ours() -> None:
    cells = {
        _key(network, line.part, line.attack): {0: _cell(line.attack)}
        for line in vigouroux2018.TABLE_1
        for network in vigouroux2018.NETWORKS
    }
    claims = load_claims(PAPERS["vigouroux2018"].claims)
    sections = vigouroux2018.sections(Evidence(Results(cells, {}, {}), claims, pytest.fail))
    tables = {b.name: b for s in sections for b in s.blocks if isinstance(b, Table)}
    assert {row[0]: (row[3], row[5]) for row in tables["table_1"].rows} == PRINTED
    ours = tables["table_1"].rows[0][2]
    assert ours == "20.00 % [5.67, 50.98] / 1" and isinstance(ours, Number)
    assert (ours.parts["value"], ours.parts["noise_level"]) == (0.2, 1.0)
    assert [(row[4], row[6]) for row in tables["table_2"].rows] == [
        ("0.6 %", "4.13 %"),
        ("3.2 %", "1.61 %"),
        ("4.8 %", "1.25 %"),
    ]
    assert all(table.caption for table in tables.values())


def _claims(*published: str) -> PaperClaims:
    measure = {
        "network": ["a", "b"],
        "part": "p",
        "attack": "fgsm",
        "defence": "none",
        "threat_model": "white_box",
        "quantity": "success_rate",
    }
    check: dict[str, Any] = {"measures": [measure], "expect": {"at_least": 0}}
    claims = [
        {
            "id": f"c{i}",
            "where": "1",
            "text": "it",
            "published": text,
            "tolerance": "none",
            "readings": [{"name": "r", "checks": [check]}],
        }
        for i, text in enumerate(published)
    ]
    head = dict.fromkeys(("paper", "title", "authors", "published"), "it")
    return PaperClaims.model_validate(head | {"claims": claims})


@pytest.mark.parametrize(
    ("published", "values"),
    [
        ("5 %", [0.05, 0.05]),
        ("0.1, 2.5", [0.1, 2.5]),
        ("close to 100 %", []),
        ("1, 2, 3", []),
        ("a < b", []),
    ],
)
def test_numbers_belong_to_the_measures_in_order(published: str, values: list[float]) -> None:
    assert list(published_numbers(_claims(published)).values()) == values


def test_different_numbers_of_one_measure_are_refused() -> None:
    with pytest.raises(UsageError, match="c1: expected one published number per measure; received"):
        published_numbers(_claims("5 %", "6 %"))
