"""One vocabulary: the code names nothing that it does not hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from test_manual import SOURCES
from vocabulary import fits

from gauntlet.catalogue.names import Name
from gauntlet.tracking import names
from gauntlet.tracking.metric_names import METRICS
from gauntlet.tracking.names import ARTIFACTS, PARAMETERS, TAGS, Of, Vocabulary

VOCABULARY = ("tracking/names.py", "tracking/metric_names.py")
METRIC = re.compile(
    r"(adv|attack|autoencoder|best|certified|claims|clean|data|headline|magnet|perturbed|test|train|val|"
    r"validation|worst_case)(/[a-z_0-9]+)+"
)
STORING = ("text", "json", "file", "figure", "arrays", "table")


def _all(vocabulary: Vocabulary) -> list[Name]:
    return [name for some in vocabulary.values() for name in some]


def _literals() -> Iterator[tuple[str, str]]:
    """Yield each string in the sources, but those of the vocabulary, with its file.

    The pieces of an f-string are left out: what real runs hold is compared elsewhere.
    """
    for file in SOURCES:
        if str(file).endswith((*VOCABULARY, "catalogue/names.py")):
            continue
        nodes = [*ast.walk(ast.parse(file.read_text()))]
        pieces = {id(p) for node in nodes if isinstance(node, ast.JoinedStr) for p in node.values}
        for node in nodes:
            if isinstance(node, ast.Constant) and id(node) not in pieces:
                yield file.name, str(node.value)


def _stored() -> Iterator[str]:
    """Yield the path of each artifact that is stored under a fixed one."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                path = node.args[0] if node.args else None
                if node.func.attr in STORING and isinstance(path, ast.Constant):
                    yield str(path.value)


def test_every_metric_in_the_sources_has_a_name() -> None:
    found = {text for _, text in _literals() if METRIC.fullmatch(text)}
    assert len(found) > 30
    assert {one for one in found if not any(fits(n, one) for n in _all(METRICS))} == set()


def test_every_stored_artifact_has_a_name() -> None:
    found = {path for path in _stored() if "." in path}
    assert len(found) > 10
    assert {path for path in found if not any(fits(n, path) for n in _all(ARTIFACTS))} == set()


def test_tags_are_spelled_in_the_vocabulary_alone() -> None:
    spelled = {tag.pattern for tag in _all(TAGS)}
    elsewhere = [
        (file, text)
        for file, text in _literals()
        if text in spelled or text.startswith("gauntlet.input.")
    ]
    assert elsewhere == []


def test_every_constant_of_a_tag_is_explained() -> None:
    constants = {
        v for k, v in vars(names).items() if k.isupper() and str(v).startswith("gauntlet.")
    }
    assert constants <= {tag.pattern for tag in _all(TAGS)}


@pytest.mark.parametrize(
    "held",
    [METRICS, TAGS, ARTIFACTS, PARAMETERS],
    ids=["metrics", "tags", "artifacts", "parameters"],
)
@pytest.mark.parametrize("kind", Of)
def test_no_name_stands_twice_in_a_run(held: Vocabulary, kind: Of) -> None:
    some = [name.pattern for k in {Of.EVERY, kind} for name in held.get(k, ())]
    assert len(some) == len(set(some))
    assert all(one.meaning for one in held.get(kind, ()))


def test_metrics_have_units() -> None:
    assert [one.pattern for one in _all(METRICS) if not one.unit] == []


def test_a_pattern_fits_whole_names() -> None:
    name = Name("worst_case/accuracy/<defence>/<threat model>", "…")
    assert fits(name, "worst_case/accuracy/none/white_box")
    assert not fits(name, "worst_case/accuracy/none")
    assert not fits(Name("seal.json", "…"), "seal_json")
