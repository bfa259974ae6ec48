"""The manual says what the code says, and its links lead somewhere. `make check` builds it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from generate import DOCS, GENERATED

from gauntlet.tracking.store import PROJECT_ROOT

PAGES = [
    *(PROJECT_ROOT / name for name in ("README.md", "CONTRIBUTING.md", "reports/README.md")),
    *sorted(DOCS.glob("**/*.md")),
]
SOURCES = [*PROJECT_ROOT.glob("src/gauntlet/**/*.py"), *PROJECT_ROOT.glob("tuning/*.py")]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def test_readme_is_short() -> None:
    assert len((PROJECT_ROOT / "README.md").read_bytes()) <= 8192


@pytest.mark.parametrize("name", GENERATED)
def test_generated_file_is_todays(name: str) -> None:
    assert (DOCS / name).read_text() == GENERATED[name](), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT_ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    """As GitHub resolves them; Sphinx checks those inside the manual once more."""
    for path, anchor in LINK.findall(FENCED.sub("", page.read_text())):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in _anchors(target), f"{path}#{anchor}"


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _seeds_in_code() -> Iterator[tuple[str, str]]:
    """Yield the path of names of each `child_seed(...)`, and the file; `...` is a variable."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "child_seed":
                names = [n.value if isinstance(n, ast.Constant) else "..." for n in node.args[1:]]
                yield "/".join(map(str, names)), f"{file.parent.name}/{file.name}"


def test_the_tree_of_seeds_is_the_codes() -> None:
    table = (DOCS / "internals.md").read_text().split("## Seeds")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    told = {
        (re.sub(r"<\w+>", "...", path), file.removeprefix("gauntlet/"))
        for row in rows
        for path in re.findall(r"`([^`]+)`", row[1])
        for file in re.findall(r"`([^`]+\.py)`", row[3])
    }
    # Two calls pass names on that their callers chose.
    passed_on = {
        ("...", "config/networks.py"): {("surrogate", "config/networks.py")},
        (".../...", "attacks/pixel_query.py"): {
            ("single_pixel/...", "attacks/pixel_query.py"),
            ("local_search/...", "attacks/pixel_query.py"),
        },
    }
    called = {(path, file.removeprefix("gauntlet/")) for path, file in _seeds_in_code()}
    assert passed_on.keys() <= called
    expected = called - passed_on.keys() | set().union(*passed_on.values())
    assert told == expected | {("surrogate", "pipeline/networks.py")}
