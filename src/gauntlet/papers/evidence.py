"""What a paper's own tables and figures are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from gauntlet.report.claims.results import Results
from gauntlet.report.claims.schema import PaperClaims

Artifact: TypeAlias = Callable[[str, str], bytes]
"""Content of a run's artifact, by run id and path."""


class Evidence(NamedTuple):
    """All that a reproduction leaves to a paper's report.

    Attributes:
        results: everything that was measured.
        claims: of the paper; published numbers stand there.
        artifact: reads an artifact of a run.
    """

    results: Results
    claims: PaperClaims
    artifact: Artifact
