"""Entry point `reproduce`: a paper's plan -> trainings and attacks -> verdicts and a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from gauntlet.catalogue.components import load
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.config.command_line import command
from gauntlet.errors import IncompleteError
from gauntlet.papers.config import ReproduceConfig
from gauntlet.papers.evidence import Evidence
from gauntlet.papers.paper import Paper
from gauntlet.papers.plan import Network
from gauntlet.pipeline.cell_record import read_cell
from gauntlet.pipeline.console import say, show_table
from gauntlet.pipeline.inputs import load_data
from gauntlet.pipeline.matrix import Matrix, run_matrix
from gauntlet.pipeline.session import session
from gauntlet.report.claims.behind import Facts
from gauntlet.report.claims.page import SMOKE, counted, document, warnings
from gauntlet.report.claims.results import Key, Results, Spent, TrainedKey, TrainedRun, first
from gauntlet.report.claims.schema import load_claims
from gauntlet.report.claims.verdicts import ClaimOutcome, counts, judge
from gauntlet.report.document.files import write
from gauntlet.report.document.model import Section
from gauntlet.tracking import names
from gauntlet.tracking.finished import SealedRun, read_run, read_sealed
from gauntlet.tracking.provenance import environment
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.runs import tracked_run


def run(config: ReproduceConfig) -> None:
    """Measure what each paper claims, judge every claim, write the reports.

    Raises:
        IncompleteError: something could not be computed; the reports are written all the same.
    """
    failures = []
    with session("reproduce") as where:
        for paper in config.papers:
            try:
                _reproduce(paper, config.replace(paper=paper.name), where)
            except IncompleteError as error:
                failures.append(str(error))
        if failures:
            raise IncompleteError(" ".join(failures))


def _reproduce(paper: Paper, config: ReproduceConfig, where: str) -> None:
    claims = load_claims(paper.claims)
    networks: list[Network] = list(load(paper.code)(config))
    trained = (network.config for network in networks)
    attacked = (part.config for network in networks for part in network.parts)
    data = load_data(config, *trained, *attacked)
    of_data: dict[str, float] = load(paper.data)(data) if paper.data else {}
    tags = {names.STEP: "reproduce", names.PAPER: paper.name}
    experiment = ENTRY_POINTS["reproduce"].experiment
    opened = tracked_run(experiment, claims.title, config.as_json(), tags=tags, entry=True)
    with opened as run:
        run.uses_data(data.name, data.sha256, len(data.x_test), "evaluation")
        run.metrics((f"data/{name}", value) for name, value in of_data.items())
        matrix = run_matrix(networks, data, run)
        run.json("matrix.json", matrix.as_json())
        run.flush()
        results = read_results(matrix, of_data)
        _log(run, config, *report(run.id, paper, config, results))
        say(f"report: {folder(config) / 'report.html'}; run {run.id}; {where}")
        if matrix.failed:
            raise IncompleteError(
                f"{paper.name}: {len(matrix.failed)} computations failed; "
                "the others are done, and the report names them."
            )


def report(
    run_id: str,
    paper: Paper,
    config: ReproduceConfig,
    results: Results,
) -> tuple[list[Path], list[ClaimOutcome]]:
    """Judge every claim, write and show the report; return its files and the outcomes.

    Args:
        run_id: of the reproduction's run.
        paper: whose claims are judged.
        config: of the reproduction.
        results: all that it measured.
    """
    claims = load_claims(paper.claims)
    outcomes = judge(claims.claims, results)
    own = import_module(paper.report)
    headline: list[str] = own.headline(results)
    sections: list[Section] = list(own.sections(Evidence(results, claims, _artifact)))
    facts = _facts(run_id, paper, config, results)
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
    size = () if config.judges else (config.preset,)
    return Path(config["output"], *size, config["paper"])


def read_results(matrix: Matrix, data: Mapping[str, float]) -> Results:
    """Return all that a reproduction measured, from the store alone.

    Args:
        matrix: where it was measured.
        data: numbers of the data set alone.

    Raises:
        DamagedRunError: a run's record is incomplete or was changed.
    """
    ids = [
        i for seeds in [*matrix.cells.values(), *matrix.trainings.values()] for i in seeds.values()
    ]
    ids += matrix.examinations.values()
    runs = {i: read_sealed(i) for i in dict.fromkeys(ids)}
    cells = {
        key: {seed: read_cell(runs[i]) for seed, i in seeds.items()}
        for key, seeds in matrix.cells.items()
    }
    trainings = {
        key: {seed: _training(i, runs, matrix) for seed, i in seeds.items()}
        for key, seeds in matrix.trainings.items()
    }
    minutes = _minutes(matrix, runs)
    return Results(cells, trainings, data, matrix.failed, matrix.diverged, minutes)


def _training(run_id: str, runs: Mapping[str, SealedRun], matrix: Matrix) -> TrainedRun:
    """Return a training, and what was measured of it on test images."""
    trained, examination = runs[run_id], matrix.examinations[run_id]
    curves = {**trained.curves, **runs[examination].curves}
    return TrainedRun(run_id, examination, trained.run.config, curves)


def _minutes(matrix: Matrix, runs: Mapping[str, SealedRun]) -> dict[str, Spent]:
    """Return what each network's runs took; what networks share counts for the first of them."""
    counted: set[str] = set()

    def took(ids: Iterable[str]) -> float:
        new = set(ids) - counted
        counted.update(new)
        return sum(runs[run_id].run.minutes for run_id in new)

    minutes = {}
    for network in dict.fromkeys(key.network for key in matrix.trainings):
        trained = _ids(matrix.trainings, network)
        examined = [matrix.examinations[run_id] for run_id in trained]
        minutes[network] = Spent(took([*trained, *examined]), took(_ids(matrix.cells, network)))
    return minutes


def _ids(
    measured: Mapping[Key, dict[int, str]] | Mapping[TrainedKey, dict[int, str]], network: str
) -> list[str]:
    return [i for key, ids in measured.items() if key.network == network for i in ids.values()]


def _artifact(run_id: str, path: str) -> bytes:
    return read_sealed(run_id).artifact(path)


def _facts(
    run_id: str,
    paper: Paper,
    config: ReproduceConfig,
    results: Results,
) -> Facts:
    found = read_run(run_id)
    commit = found.tags[names.GIT_COMMIT]
    return Facts(
        run_id=run_id,
        seeds=len(config.seeds),
        first_seed=config.seed,
        dataset=config["dataset"],
        sha256=found.tags[names.DATASET_SHA256],
        commit=commit,
        dirty=found.tags[names.GIT_DIRTY] == "true",
        environment=environment().splitlines(),
        commands=[f"git checkout {commit}", command("reproduce", config)],
        alone=list(_alone(paper, config, results)),
        duration=found.minutes,
        judges=config.judges,
    )


def _alone(
    paper: Paper, config: ReproduceConfig, results: Results
) -> Iterator[tuple[str, str, str]]:
    """Yield the command of every part: an attack run, or a training where nothing is attacked."""
    images = {
        (key.network, key.part): len(first(cells).labels) for key, cells in results.cells.items()
    }
    most = max(images.values(), default=0)
    for network in load(paper.code)(config):
        name = f"{network.name}, seed {network.seed}"
        for part in network.parts:
            n = images.get((network.name, part.name), most)
            size = {"test_size": n} if n < most else {}
            yield name, part.name, command("attack", part.config.replace(**size))
        if not network.parts:
            yield name, "autoencoder", command("autoencoder", network.config)
