"""What a user sees: the MLflow UI and the report, in Debian's Chromium."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import mlflow
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from servers import mlflow_server, tracking_to
from small_paper import small_paper

from gauntlet.entry_points import reproduce
from gauntlet.papers.paper import PAPERS
from gauntlet.tracking.store import PROJECT_ROOT

CHROMIUM = shutil.which("chromium")
SECONDS = 60_000  # milliseconds that a page of the UI may take on a busy machine

SCREENSHOTS = os.environ.get("GAUNTLET_SCREENSHOTS")
"""Folder, as seen from the project, that keeps what the manual shows; without it none is kept."""

COMMITTED = [PROJECT_ROOT / "reports" / paper / "report.html" for paper in PAPERS]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


class Served(NamedTuple):
    """A small reproduction behind a real server."""

    uri: str
    experiment: str
    parent: str
    cells: dict[str, str]
    report: Path

    def at(self, path: str) -> str:
        return f"{self.uri}/#/experiments/{self.experiment}/runs{path}"


@pytest.fixture(scope="module")
def served(drawn, new_store, tmp_path_factory) -> Iterator[Served]:
    folder, uri = tmp_path_factory.mktemp("served"), new_store()
    with tracking_to(uri, folder) as client, pytest.MonkeyPatch.context() as patch:
        config = small_paper(folder, patch)
        reproduce.run(config)
        experiment = client.get_experiment_by_name("reproductions").experiment_id
        runs = client.search_runs([experiment])
        (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        cells = {run.info.run_name: run.info.run_id for run in runs if run is not parent}
        report = reproduce.folder(config) / "report.html"
        mlflow.set_tracking_uri(None)
        with mlflow_server(uri, folder) as address:
            yield Served(address, experiment, parent.info.run_id, cells, report)


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[..., Page]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def new(width: int = 1400) -> Page:
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.set_default_timeout(SECONDS)
            return page

        expect.set_options(timeout=SECONDS)
        yield new
        browser.close()


def _keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=PROJECT_ROOT / SCREENSHOTS / f"{name}.png")


def test_runs_have_readable_names(served, open_page) -> None:
    page = open_page()
    page.goto(served.at(""))
    expect(page.get_by_text("A small paper").first).to_be_visible()


def test_report_is_shown_as_an_artifact(served, open_page) -> None:
    page = open_page()
    page.goto(served.at(f"/{served.parent}/artifacts/report.html"))
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", name="Reproduction of")).to_be_visible()
    expect(report.get_by_text("fgsm-encoded").first).to_be_visible()


def test_confusion_matrix_is_shown(served, open_page) -> None:
    page = open_page()
    cell = served.cells["bim, defence encoded, threat model white_box"]
    page.goto(served.at(f"/{cell}/artifacts/confusion_matrices.png"))
    expect(page.get_by_text("confusion_matrices.png").first).to_be_visible()
    page.wait_for_function(
        "[...document.images].some(i => i.src.startsWith('blob:') && i.naturalWidth > 500)"
    )


def test_curves_of_two_attacks_lie_over_each_other(served, open_page) -> None:
    page = open_page()
    names = {
        "runs": list(served.cells.values()),
        "experiments": [served.experiment],
        "metric": "adv/accuracy",
        "plot_metric_keys": ["adv/accuracy"],
        "plot_layout": {},
    }
    query = "&".join(f"{name}={quote(json.dumps(value))}" for name, value in names.items())
    page.goto(f"{served.uri}/#/metric?{query}&x_axis=step")
    page.get_by_role("button", name="Close").click()  # the assistant, which hides half of them
    for name in served.cells:
        expect(page.get_by_text(f"{name} (adv/accuracy)")).to_be_visible()
    page.wait_for_function("document.querySelectorAll('.scatterlayer .js-line').length >= 2")
    _keep(page, "overlaid_curves")


@pytest.mark.parametrize("width", [390, 1400])
def test_report_opens_from_disk(served, open_page, width: int) -> None:
    _opens(open_page(width), served.report)


@pytest.mark.parametrize("report", COMMITTED, ids=lambda report: report.parent.name)
def test_committed_report_opens_on_a_phone(open_page, report: Path) -> None:
    page = open_page(390)
    _opens(page, report)
    page.set_viewport_size({"width": 1400, "height": 900})
    page.evaluate("scrollTo(0, 0)")
    _keep(page, f"report_{report.parent.name}")


def _opens(page: Page, report: Path) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(request.url))
    page.goto(report.as_uri())
    for image in page.locator("img").all():
        image.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every(i => i.complete)")
    assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).length") == 0
    assert _overflow(page) <= 0 and not errors


def _overflow(page: Any) -> int:
    element = "document.documentElement"
    return int(page.evaluate(f"{element}.scrollWidth - {element}.clientWidth"))
