"""Claims as data: what their schema refuses, that plans measure all of them, and verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gauntlet.autoencoders.attacker import game_metrics
from gauntlet.autoencoders.training import reconstruction_loss
from gauntlet.catalogue.attacks import epsilons_of
from gauntlet.catalogue.autoencoders import LOSSES
from gauntlet.catalogue.components import load
from gauntlet.catalogue.trainings import Training
from gauntlet.errors import UsageError
from gauntlet.examination.autoencoder import output_scale, reconstruction_metrics
from gauntlet.papers.config import ReproduceConfig
from gauntlet.papers.paper import PAPERS
from gauntlet.papers.plan import Network
from gauntlet.report.claims.measures import CellMeasure, DataMeasure, TrainingMeasure
from gauntlet.report.claims.outcomes import Holds, Verdict, all_of, verdict
from gauntlet.report.claims.schema import (
    Check,
    Claim,
    PaperClaims,
    load_claims,
)

DATA = {"mean_square", "half_mean_square", "mean_image_error", "black_image_l2"}

papers = pytest.mark.parametrize("paper", PAPERS)


@cache
def _claims(paper: str) -> PaperClaims:
    return load_claims(PAPERS[paper].claims)


@cache
def _networks(paper: str) -> dict[str, Network]:
    return {network.name: network for network in load(PAPERS[paper].code)(ReproduceConfig())}


def _checks(paper: str) -> Iterator[tuple[str, Check]]:
    for claim in _claims(paper).claims:
        for reading in claim.readings:
            yield from ((f"{claim.id}: {reading.name}", check) for check in reading.checks)


def _measures(paper: str, kind: type[Any]) -> Iterator[tuple[str, Any]]:
    """Yield every measure of a kind, combinations written out, and where it stands."""
    for where, check in _checks(paper):
        yield from ((where, one) for one in check.each if isinstance(one, kind))


# --- the two files ---


@papers
def test_file_is_of_its_paper(paper: str) -> None:
    assert _claims(paper).paper == paper and len(_claims(paper).claims) > 50


@papers
def test_texts_end_where_the_report_goes_on(paper: str) -> None:
    for claim in _claims(paper).claims:
        texts = filter(None, (claim.text, claim.tolerance, claim.ambiguity, claim.not_checkable))
        assert all(text.rstrip().endswith(".") for text in texts), claim.id
        assert claim.published and not claim.published.endswith("."), claim.id


@papers
def test_readings_of_a_claim_have_names_of_their_own(paper: str) -> None:
    for claim in _claims(paper).claims:
        names = [reading.name for reading in claim.readings]
        assert len(set(names)) == len(names), claim.id
        assert not any(";" in name for name in names), claim.id  # the report joins them by it


@papers
def test_every_cell_is_in_the_plan(paper: str) -> None:
    planned = set(_planned_cells(paper))
    wanted = [(where, _cell(one)) for where, one in _measures(paper, CellMeasure)]
    assert wanted and [pair for pair in wanted if pair[1] not in planned] == []


def _planned_cells(paper: str) -> Iterator[tuple[str | float | None, ...]]:
    for network in _networks(paper).values():
        for part in network.parts:
            for defence, threat_model in part.config.combinations():
                for attack in part.config.attacks_under(threat_model):
                    unit = attack.budgets.unit.per_range
                    epsilons = epsilons_of(part.config.attack(attack))
                    view = attack.name, defence.name, threat_model.name
                    for epsilon in (None, *(round(unit * e, 6) for e in epsilons)):
                        yield network.name, part.name, *view, epsilon


def _cell(one: CellMeasure) -> tuple[str | float | None, ...]:
    names = one.network + one.part + one.attack + one.defence + one.threat_model
    return (*names, one.epsilon)


@papers
def test_classes_are_named_where_they_are_asked_for(paper: str) -> None:
    for where, one in _measures(paper, CellMeasure):
        assert (one.of_class is None) == (not one.quantity.endswith("_target")), where


@papers
def test_every_training_is_in_the_plan(paper: str) -> None:
    found = list(_measures(paper, TrainingMeasure))
    assert found
    for where, one in found:
        network = _networks(paper)[one.network[0]]
        assert one.epoch is None or 1 <= one.epoch <= network.config["epochs"], where
        assert (one.model, one.part) in _planned_trainings(network), where


def _planned_trainings(network: Network) -> set[tuple[str, str]]:
    classifiers = {
        (defence.inputs, part.name) for part in network.parts for defence in part.config.defences
    }
    return {("autoencoder", ""), *classifiers}


@papers
def test_every_parameter_and_metric_of_a_training_exists(paper: str) -> None:
    for where, one in _measures(paper, TrainingMeasure):
        if one.config is not None:
            names = {one.config, one.minus or one.config}
            assert names <= _logged(_networks(paper)[one.network[0]], one), where
        else:
            assert one.metric in _metrics(one.model, one.network[0]), where


def _logged(network: Network, one: TrainingMeasure) -> set[str]:
    """Return the parameters that a training's run holds."""
    if one.model == "autoencoder":
        training: Training[Any] = network.config.autoencoder()
    else:
        (part,) = [part for part in network.parts if part.name == one.part]
        training = part.config.classifier(one.model)
    return {"dataset", "train_size", "seed", *(p.name for p in training.entry.all_parameters)}


@cache
def _metrics(model: str, network: str) -> set[str]:
    """Return what a training of this kind logs."""
    if model != "autoencoder":
        return {"train/loss", "train/accuracy", "clean/accuracy"}
    images = np.zeros((1, 2, 2, 1), np.float32)
    found = {"train/loss"} if network != "funn" else {"train/reconstruction", "train/hinge_active"}
    found |= {name for name, _ in output_scale(images)}
    found |= {
        name for name, _ in reconstruction_metrics(reconstruction_loss(LOSSES[0]), images, images)
    }
    if network == "funn":
        for stage in ("train", "test"):
            found |= {name for name, _ in game_metrics(stage, images, images, images)}
    return found


@papers
def test_every_number_of_the_data_exists(paper: str) -> None:
    assert {one.data for _, one in _measures(paper, DataMeasure)} <= DATA


@papers
def test_texts_are_expected_of_parameters_alone(paper: str) -> None:
    for where, check in _checks(paper):
        parameters = {getattr(one, "config", None) is not None for one in check.each}
        assert parameters == {check.expect.equals is not None}, where


def test_phases_of_funn_are_judged_on_the_published_epochs() -> None:
    (claim,) = (claim for claim in _claims("vigouroux2018").claims if claim.id == "epochs")
    (reading,) = claim.readings
    expected = [check.expect.equals for check in reading.checks]
    assert expected == claim.published.split(", ") == ["9", "31"]
    assert [str(one).split(" (")[0] for check in reading.checks for one in check.each] == [
        "parameter init_epochs",
        "parameter epochs - init_epochs",
    ]


# --- the schema ---

CELL = {
    "network": "a",
    "part": "p",
    "attack": "x",
    "defence": "none",
    "threat_model": "white_box",
    "quantity": "drop",
}
CHECK = {"measures": [CELL], "expect": {"at_most": 0.1}}
READING = {"name": "r", "checks": [CHECK]}
CLAIM = {
    "id": "one",
    "where": "w",
    "text": "t",
    "published": "0",
    "tolerance": "t",
    "readings": [READING],
}
PAPER = {"paper": "p", "title": "t", "authors": "a", "published": "y", "claims": [CLAIM]}
TRAINING = {"network": "a", "model": "raw"}


def _with(**check: Any) -> dict[str, Any]:
    return {**CLAIM, "readings": [{**READING, "checks": [{**CHECK, **check}]}]}


def _load(folder: Path, content: object) -> PaperClaims:
    file = folder / "claims.yaml"
    file.write_text(yaml.safe_dump(content))
    return load_claims(file)


def test_smallest_file(tmp_path: Path) -> None:
    (claim,) = _load(tmp_path, PAPER).claims
    assert claim.readings[0].checks[0].measures[0].network == ("a",)


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (_with(expect={"near": 1, "within": 0, "at_most": 1}), "expected one of near"),
        (_with(expect={"at_least": 0, "at_most": 1}), "expected one of near"),
        (_with(expect={"near": 1}), "expected one of near"),
        (_with(expect={"within": 1}), "expected one of near"),
        (_with(expect={"at_most": 1, "within": 1}), "expected one of near"),
        (_with(expect={}), "expected one of near"),
        (_with(expect={"near": 1, "within": -1}), "greater than or equal to 0"),
        (_with(expect={"at_most": float("nan")}), "finite"),
        (_with(expect={"order": "ascending"}), "at least two measures"),
        (_with(measures=[]), "at least 1 item"),
        (_with(measures=[{**CELL, "network": []}]), "at least 1 item"),
        (_with(measures=[{**CELL, "speed": 1}]), "Extra inputs"),
        (_with(measures=[{**TRAINING}]), "expected either metric or config"),
        (_with(measures=[{**TRAINING, "metric": "m", "config": "c"}]), "either metric or config"),
        (_with(measures=[{**TRAINING, "metric": "m", "minus": "c"}]), "minus beside config alone"),
        ({**CLAIM, "readings": []}, "expected either readings or the reason"),
        ({**CLAIM, "not_checkable": "a picture"}, "expected either readings or the reason"),
        ({**CLAIM, "tolerance": ""}, "reason of the tolerance"),
        ({**CLAIM, "id": "Two words"}, "match pattern"),
    ],
)
def test_refusals(claim: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Claim.model_validate(claim)


@pytest.mark.parametrize(
    ("paper", "said"),
    [
        ({**PAPER, "claims": [CLAIM, CLAIM]}, "expected each id once; received one twice"),
        ({**PAPER, "claims": []}, "claims.yaml: claims: "),
        ([], "claims.yaml: "),
        (
            {**PAPER, "ways": {}, "claims": [{**CLAIM, "readings": [{"ways": "w", "checks": []}]}]},
            "ways: cannot write them out: KeyError('w')",
        ),
        (
            {**PAPER, "ways": {"w": {}}, "claims": [{**CLAIM, "readings": [{"ways": "w"}]}]},
            "expected either readings",
        ),
    ],
)
def test_no_file_of_claims(tmp_path: Path, paper: object, said: str) -> None:
    with pytest.raises(UsageError) as error:
        _load(tmp_path, paper)
    assert said in str(error.value)


def test_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "claims.yaml").write_text("claims: [")
    with pytest.raises(UsageError):
        load_claims(tmp_path / "claims.yaml")
    with pytest.raises(UsageError):
        load_claims(tmp_path / "none.yaml")


def test_several_names_mean_every_combination_the_first_name_slowest() -> None:
    measure = CellMeasure(**CELL | {"network": ["a", "b"], "attack": ["x", "y"]})  # type: ignore[arg-type]
    found = [(one.network[0], one.attack[0]) for one in measure.each()]
    assert found == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    one = TrainingMeasure(network=("a", "b"), model="raw", metric="m")
    assert [each.network for each in one.each()] == [("a",), ("b",)]


def test_combinations_can_be_ordered() -> None:
    measures = [{**CELL, "network": ["a", "b"]}]
    check = Check.model_validate({"measures": measures, "expect": {"order": "descending"}})
    assert len(check.each) == 2


def test_ways_become_readings(tmp_path: Path) -> None:
    ways = {
        "both": {"here": {**CELL, "epsilon": 0.1}, "there": {**CELL, "threat_model": "gray_box"}}
    }
    own = {"quantity": "unchanged", "network": "b"}
    training = {**TRAINING, "metric": "m"}
    check = {"measures": [own, training], "expect": {"at_most": 1}}
    plain = {"ways": "both", "checks": [check]}
    readings = [plain, {**plain, "name": "n"}, READING]
    paper = _load(tmp_path, {**PAPER, "ways": ways, "claims": [{**CLAIM, "readings": readings}]})
    found = paper.claims[0].readings
    assert [r.name for r in found] == ["here", "there", "n: here", "n: there", "r"]
    cell, other = found[0].checks[0].measures
    # What the measure says comes first; the way fills in the rest.
    assert cell == CellMeasure(**CELL | own | {"epsilon": 0.1})  # type: ignore[arg-type]
    assert other == TrainingMeasure(network=("a",), model="raw", metric="m")
    assert found[3].checks[0].measures[0] == CellMeasure(  # type: ignore[arg-type]
        **CELL | own | {"threat_model": "gray_box"}
    )


# --- verdicts ---

YES, NO, NOISE, MISSING = Holds.YES, Holds.NO, Holds.NOISE, Holds.MISSING
UNTESTED = Holds.UNTESTED


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([YES], YES),
        ([YES, YES], YES),
        ([YES, NOISE], NOISE),
        ([YES, NO], NO),
        ([NOISE, NO, YES], NO),
        ([YES, MISSING], MISSING),
        ([NOISE, MISSING], MISSING),
        ([YES, UNTESTED], UNTESTED),
        ([UNTESTED, NO], NO),
        ([UNTESTED, NOISE], NOISE),  # it did not show, whatever a test of the other would say
        ([UNTESTED, MISSING], MISSING),
    ],
)
def test_all_of(checks: list[Holds], expected: Holds) -> None:
    assert all_of(checks) == expected == all_of(checks[::-1])


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([YES], Verdict.REPRODUCED),
        ([YES, YES], Verdict.REPRODUCED),
        ([YES, NO], Verdict.ONLY_UNDER),
        ([YES, NOISE], Verdict.ONLY_UNDER),
        ([YES, MISSING, NO], Verdict.ONLY_UNDER),
        ([NO], Verdict.NOT_REPRODUCED),
        ([NO, NO], Verdict.NOT_REPRODUCED),
        ([NO, NOISE, MISSING], Verdict.NOT_REPRODUCED),
        ([NOISE], Verdict.NOT_REPRODUCED),
        ([MISSING], Verdict.NOT_CHECKABLE),
        ([NOISE, MISSING], Verdict.NOT_REPRODUCED),
        ([UNTESTED], Verdict.NOT_TESTED),
        ([UNTESTED, MISSING], Verdict.NOT_TESTED),
        ([UNTESTED, NOISE], Verdict.NOT_TESTED),  # the other way to read it may hold yet
        ([UNTESTED, YES], Verdict.ONLY_UNDER),
        ([UNTESTED, NO], Verdict.NOT_REPRODUCED),
        ([], Verdict.NOT_CHECKABLE),
    ],
)
def test_verdict(readings: list[Holds], expected: Verdict) -> None:
    assert verdict(readings) == expected == verdict(readings[::-1])
