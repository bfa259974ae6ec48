"""Entry point `reproduce`: a paper's plan -> trainings and attacks -> verdicts and a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gauntlet.config import sivaslioglu2020, vigouroux2018
from gauntlet.config.entry_points import command
from gauntlet.config.reproduce import ReproduceConfig
from gauntlet.data.dataset import Dataset
from gauntlet.errors import IncompleteError
from gauntlet.report import sivaslioglu2020 as first_paper
from gauntlet.report import vigouroux2018 as second_paper
from gauntlet.report.claims.behind import Facts
from gauntlet.report.claims.page import SMOKE, counted, document, warnings
from gauntlet.report.claims.results import Results, Spent, Training
from gauntlet.report.claims.schema import PaperClaims, load_claims
from gauntlet.report.claims.verdicts import ClaimOutcome, counts, judge
from gauntlet.report.document.files import write
from gauntlet.report.document.model import Section
from gauntlet.steps.console import say, show_table
from gauntlet.steps.finished_cells import read_cell
from gauntlet.steps.inputs import load_data
from gauntlet.steps.matrix import Matrix, run_matrix
from gauntlet.steps.session import session
from gauntlet.tracking.experiments import REPRODUCTIONS
from gauntlet.tracking.finished import SealedRun, last, read_run, read_sealed
from gauntlet.tracking.provenance import environment
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.store import PROJECT_ROOT

NETWORKS = {"sivaslioglu2020": sivaslioglu2020.networks, "vigouroux2018": vigouroux2018.networks}
CLAIMS = PROJECT_ROOT / "reports" / "claims"
MATRIX = "matrix.json"


def run(config: ReproduceConfig) -> None:
    """Measure what each paper claims, judge every claim, write the reports.

    Raises:
        IncompleteError: something could not be computed; the reports are written all the same.
    """
    papers = list(NETWORKS) if config.paper == "all" else [config.paper]
    failures = []
    with session("reproduce") as where:
        for paper in papers:
            try:
                _reproduce(config.model_copy(update={"paper": paper}), where)
            except IncompleteError as error:
                failures.append(str(error))
        if failures:
            raise IncompleteError(" ".join(failures))


def _reproduce(config: ReproduceConfig, where: str) -> None:
    claims = load_claims(CLAIMS / f"{config.paper}.yaml")
    networks = list(NETWORKS[config.paper](config))
    trained = (network.autoencoder for network in networks)
    attacked = (part.config for network in networks for part in network.parts)
    data = load_data(config, *trained, *attacked)
    of_data = _of_data(data)
    tags = {"gauntlet.step": "reproduce", "gauntlet.paper": config.paper}
    with tracked_run(REPRODUCTIONS, claims.title, config, tags=tags, entry=True) as it:
        it.uses_data(data.name, data.sha256, len(data.x_test), "evaluation")
        it.metrics((f"data/{name}", value) for name, value in of_data.items())
        matrix = run_matrix(networks, data, it)
        it.json(MATRIX, matrix.as_json())
        it.flush()
        results = read_results(matrix, of_data)
        _log(it, config, *report(it.id, config, results, environment().splitlines()))
        say(f"report: {folder(config) / 'report.html'}; run {it.id}; {where}")
        if matrix.failed:
            raise IncompleteError(
                f"{config.paper}: {len(matrix.failed)} computations failed; "
                f"the others are done, and the report names them."
            )


def report(
    run_id: str, config: ReproduceConfig, results: Results, packages: Sequence[str]
) -> tuple[list[Path], list[ClaimOutcome]]:
    """Judge every claim, write and show the report; return its files and the outcomes.

    Args:
        run_id: of the reproduction's run.
        config: of the reproduction.
        results: all that it measured.
        packages: the environment that it ran in, a line per package.
    """
    claims = load_claims(CLAIMS / f"{config.paper}.yaml")
    outcomes = judge(claims.claims, results)
    headline, sections = _own(claims, results)
    facts = _facts(run_id, config, results, packages)
    page = document(claims, outcomes, results, facts, headline, sections)
    files = write(page, folder(config), "report")
    rows = [[o.claim.id, o.claim.published, o.sentence] for o in outcomes]
    show_table(claims.title, ["claim", "published", "verdict"], rows)
    for line in headline:
        say(line.replace("*", ""))
    for line in warnings(results):
        say(f"warning: {line}")
    say(counted(outcomes) if config.judges else SMOKE)
    return files, outcomes


def report_again(run_id: str, config: ReproduceConfig) -> None:
    """Judge and write what a finished reproduction measured, from the store alone.

    Raises:
        DamagedRunError: something that it needs is missing or was changed.
    """
    run = read_sealed(run_id)
    data = {
        name.removeprefix("data/"): last(curve)
        for name, curve in run.curves.items()
        if name.startswith("data/")
    }
    results = read_results(Matrix.from_json(run.json(MATRIX)), data)
    report(run_id, config, results, run.artifact("environment.txt").decode().splitlines())


def _log(
    run: TrackedRun,
    config: ReproduceConfig,
    files: Sequence[Path],
    outcomes: Sequence[ClaimOutcome],
) -> None:
    run.files(files, folder(config))
    if config.judges:
        run.metrics((f"claims/{v.name.lower()}", n) for v, n in counts(outcomes).items())


def folder(config: ReproduceConfig) -> Path:
    """Return where the report is written: the committed place is for full-size runs."""
    size = () if config.preset == "paper" else (config.preset,)
    return Path(config.output, *size, config.paper)


def read_results(matrix: Matrix, data: Mapping[str, float]) -> Results:
    """Return all that a reproduction measured, from the store alone.

    Args:
        matrix: where it was measured.
        data: numbers of the data set alone.

    Raises:
        DamagedRunError: a run's record is incomplete or was changed.
    """
    ids = [i for seeds in [*matrix.cells.values(), *matrix.trainings.values()] for i in seeds]
    runs = {i: read_sealed(i) for i in dict.fromkeys(ids)}
    cells = {key: [read_cell(runs[i]) for i in seeds] for key, seeds in matrix.cells.items()}
    trainings = {
        key: [Training(i, runs[i].run.config, runs[i].curves) for i in seeds]
        for key, seeds in matrix.trainings.items()
    }
    minutes = _minutes(matrix, runs)
    return Results(cells, trainings, data, matrix.failed, matrix.diverged, minutes)


def _minutes(matrix: Matrix, runs: Mapping[str, SealedRun]) -> dict[str, Spent]:
    """Return what each network's runs took; what networks share counts for the first of them."""
    counted: set[str] = set()

    def took(ids_of: Mapping[Any, Sequence[str]], network: str) -> float:
        new = {i for key, ids in ids_of.items() if key.network == network for i in ids} - counted
        counted.update(new)
        return sum(runs[run_id].run.minutes for run_id in new)

    networks = dict.fromkeys(key.network for key in matrix.trainings)
    return {n: Spent(took(matrix.trainings, n), took(matrix.cells, n)) for n in networks}


def _own(claims: PaperClaims, results: Results) -> tuple[list[str], list[Section]]:
    if claims.paper == "sivaslioglu2020":
        own = first_paper.sections(results, _artifact)
        return first_paper.headline(results), list(own)
    return second_paper.headline(results), list(second_paper.sections(results, claims))


def _artifact(run_id: str, path: str) -> bytes:
    return read_sealed(run_id).artifact(path)


def _facts(
    run_id: str, config: ReproduceConfig, results: Results, packages: Sequence[str]
) -> Facts:
    found = read_run(run_id)
    commit = found.tags["gauntlet.git_commit"]
    return Facts(
        run_id=run_id,
        seeds=config.seeds,
        first_seed=config.seed,
        dataset=config.dataset,
        sha256=found.tags["gauntlet.dataset_sha256"],
        commit=commit,
        dirty=found.tags["gauntlet.git_dirty"] == "true",
        environment=packages,
        commands=[f"git checkout {commit}", command("reproduce", config)],
        alone=list(_alone(config, results)),
        duration=found.minutes,
        judges=config.judges,
    )


def _alone(config: ReproduceConfig, results: Results) -> Iterator[tuple[str, str, str]]:
    """Yield the command of every part: an attack run, or a training where nothing is attacked."""
    images = {(key.network, key.part): len(cells[0].labels) for key, cells in results.cells.items()}
    most = max(images.values(), default=0)
    for network in NETWORKS[config.paper](config):
        name = f"{network.name}, seed {network.seed}"
        for part in network.parts:
            n = images.get((network.name, part.name), most)
            size = {"test_size": n} if n < most else {}
            yield name, part.name, command("attack", part.config.model_copy(update=size))
        if not network.parts:
            yield name, "autoencoder", command("autoencoder", network.autoencoder)


def _of_data(data: Dataset) -> dict[str, float]:
    """Return what the data set alone decides of the second paper's section 4.3."""
    test = data.x_test.astype(np.float64)
    squares = (test**2).mean(axis=(1, 2, 3))
    mean_image = data.x_train.mean(axis=0, dtype=np.float64)
    return {
        "mean_square": float(squares.mean()),
        "half_mean_square": float(squares.mean() / 2),
        "mean_image_error": float(((test - mean_image) ** 2).mean()),
        "black_image_l2": float(np.sqrt((test**2).sum(axis=(1, 2, 3))).mean()),
    }
