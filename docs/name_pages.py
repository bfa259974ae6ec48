"""The pages of the reference that list what a run holds, from the vocabulary of the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from markdown import code, escaped, table

from gauntlet.catalogue.names import Name
from gauntlet.tracking.metric_names import METRICS
from gauntlet.tracking.names import ARTIFACTS, PARAMETERS, TAGS, Of, Vocabulary

WRITTEN = (
    "<!-- Written by docs/generate.py from src/gauntlet/tracking/{}.py: edit that, then run "
    "`make docs`. -->\n"
)
BUDGETS = """\
The step of a metric that depends on the budget is `round(1000 * epsilon)`: epsilon 0.1 is step 100.
MLflow's tables, and `run.data.metrics` in Python, show the value at the *largest* step, that is
at the largest epsilon. To sort or to test by one number, take `headline/...`. The step of a
training's metrics is the epoch; what was measured on test images stands at the last one.

The words are explained in the [glossary](../concepts.md#glossary). A [cell](../concepts.md#cell)
logs its metrics at each of its budgets, unless the last column says otherwise.
"""
SEALED = """\
Metrics have a [page of their own](metrics.md). A finished run is sealed: each artifact has its
SHA-256 in `seal.json`, and whoever reads the run again checks it.
"""


def metrics() -> str:
    """Return the page of the metrics."""
    parts = (_section(f"Of {kind}", METRICS.get(kind, ()), "metric", units=True) for kind in Of)
    return _page("Metrics", "metric_names", BUDGETS, parts)


def runs() -> str:
    """Return the page of tags, parameters and artifacts."""
    return _page("Tags, parameters and artifacts", "names", SEALED, (_of(kind) for kind in Of))


def _of(kind: Of) -> Iterator[str]:
    held: tuple[tuple[str, Vocabulary], ...] = (
        ("tag", TAGS),
        ("parameter", PARAMETERS),
        ("artifact", ARTIFACTS),
    )
    heading = f"Of {kind}"
    for what, vocabulary in held:
        yield from _section(heading, vocabulary.get(kind, ()), what)
        heading = "" if vocabulary.get(kind) else heading


def _page(title: str, source: str, said: str, parts: Iterable[Iterable[str]]) -> str:
    lines = [line for part in parts for line in part]
    return "\n".join([f"# {title}\n", WRITTEN.format(source), said, *lines])


def _section(
    heading: str, names: Iterable[Name], what: str, *, units: bool = False
) -> Iterator[str]:
    """Yield a table of names below its heading, or nothing if there is no name."""
    rows = [_row(name, units=units) for name in names]
    if not rows:
        return
    if heading:
        yield f"## {heading}\n"
    yield from table((what, "meaning", *(["unit"] if units else []), "written"), rows)


def _row(name: Name, *, units: bool) -> list[str]:
    # An interval breaks at no line's end.
    unit = [escaped(name.unit).replace("[0, 1]", "[0,&nbsp;1]")] if units else []
    return [code(name.pattern), escaped(name.meaning), *unit, name.when or "always"]
