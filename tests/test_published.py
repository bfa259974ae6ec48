"""Published numbers are read from the claims, where they stand once."""

from __future__ import annotations

from typing import Any

import pytest

from gauntlet.config.vigouroux2018 import STEPS
from gauntlet.errors import UsageError
from gauntlet.report import vigouroux2018
from gauntlet.report.claims.published import published_numbers
from gauntlet.report.claims.results import Key
from gauntlet.report.claims.schema import PaperClaims, load_claims
from gauntlet.steps.reproduce import CLAIMS


def _key(network: str, part: str, attack: str, *view: str) -> Key:
    return Key(network, part, attack, *(view or ("features", "white_box")))


def test_numbers_of_the_second_papers_tables() -> None:
    found = published_numbers(load_claims(CLAIMS / "vigouroux2018.yaml"))
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
