"""The toy paper's own section."""

from __future__ import annotations

from collections.abc import Iterator

from gauntlet.papers.evidence import Evidence
from gauntlet.report.claims.results import Results
from gauntlet.report.document.model import Section, Text


def headline(results: Results) -> list[str]:
    """Return one sentence."""
    return [f"{len(results.cells)} cells were measured."]


def sections(evidence: Evidence) -> Iterator[Section]:
    """Yield the paper's own tables and figures."""
    yield Section("Cells", [Text(", ".join(key.attack for key in evidence.results.cells))])
