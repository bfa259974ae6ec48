"""The reports in the repository: whole, small, self-contained, and of today's claims."""

from __future__ import annotations

import re

import pytest

from gauntlet.papers.paper import PAPERS
from gauntlet.report.claims.schema import load_claims
from gauntlet.tracking.store import PROJECT_ROOT

MOST = 5_000_000
"""Bytes a paper."""


@pytest.fixture(params=PAPERS)
def paper(request) -> str:
    return str(request.param)


def test_every_claim_has_its_verdict(paper: str) -> None:
    text = (PROJECT_ROOT / "reports" / paper / "report.md").read_text()
    verdicts = text.split("## Verdicts")[1].split("\n## ")[0]
    shown = re.findall(r"\(\[([\w-]+)\]\(#\1\)\)", verdicts)
    assert shown == [claim.id for claim in load_claims(PAPERS[paper].claims).claims]
    assert all(f"\n### {claim}\n" in text for claim in shown)


def test_every_claim_that_was_not_reproduced_has_its_reason(paper: str) -> None:
    folder = PROJECT_ROOT / "reports"
    text = (folder / paper / "report.md").read_text()
    failed = re.findall(r"\(\[([\w-]+)\]\(#\1\)\).*\*\*not reproduced\*\*", text)
    explained = re.findall(
        rf"\[`([\w-]+)`\]\({paper}/report\.md#\1\)", (folder / "README.md").read_text()
    )
    assert failed and sorted(failed) == sorted(explained)


def test_manual_counts_the_verdicts_of_the_report(paper: str) -> None:
    text = (PROJECT_ROOT / "reports" / paper / "report.md").read_text()
    counted = re.findall(r"\d+", text.split("**")[1])
    manual = (PROJECT_ROOT / "docs" / "reproductions.md").read_text()
    row = re.search(rf"^\| \[`{paper}`\].*$", manual, re.M)
    assert row and row.group().split(" | ")[1 : len(counted) + 1] == counted


def test_report_is_of_a_clean_commit_and_nothing_failed(paper: str) -> None:
    text = (PROJECT_ROOT / "reports" / paper / "report.md").read_text()
    assert re.search(r"code at commit `[0-9a-f]{40}`,", text)
    assert "### Failed" not in text and "mnist" in text


def test_folder_is_small(paper: str) -> None:
    files = (PROJECT_ROOT / "reports" / paper).rglob("*")
    assert sum(file.stat().st_size for file in files if file.is_file()) < MOST


def test_page_needs_no_network_and_markdown_no_missing_figure(paper: str) -> None:
    folder = PROJECT_ROOT / "reports" / paper
    assert not re.search(r"""(src|href)=["']https?:""", (folder / "report.html").read_text())
    figures = re.findall(r"\]\((figures/.*?)\)", (folder / "report.md").read_text())
    assert figures and all((folder / figure).is_file() for figure in figures)
