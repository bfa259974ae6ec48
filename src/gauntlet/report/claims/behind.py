"""What stands behind the numbers of a paper's report: runs, time, environment, commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gauntlet.report.claims.results import Key, Results, Spent
from gauntlet.report.document.model import Commands, Section, Table, Text


class Facts(NamedTuple):
    """What a reader must know about the reproduction to trust or redo it.

    Attributes:
        run_id: of the parent run.
        seeds: number of trainings of every network.
        first_seed: the first of them.
        dataset, sha256: name of the data, and the digest of all pixels.
        commit, dirty: of the code.
        environment: the pinned packages, one per line.
        commands: what to type to redo it.
        alone: for each part: network, part, and the command that redoes it alone.
        duration: of the parent run, in minutes.
        judges: whether the run is large enough for its verdicts to mean anything.
    """

    run_id: str
    seeds: int
    first_seed: int
    dataset: str
    sha256: str
    commit: str
    dirty: bool
    environment: Sequence[str]
    commands: Sequence[str]
    alone: Sequence[tuple[str, str, str]]
    duration: float
    judges: bool


def behind(results: Results, facts: Facts) -> Iterator[Section]:
    """Yield the runs, the environment and the commands behind the numbers."""
    yield Section("What stands behind each number", [_origin(facts)])
    diverged = {
        f"{network}, seed {seed}": why
        for network, seeds in results.diverged.items()
        for seed, why in seeds.items()
    }
    for title, found in (("Failed", results.failed), ("Diverged", diverged)):
        if found:
            rows = [[*item] for item in found.items()]
            yield Section(title, [Table(title.lower(), ["what", "why"], rows)], level=3)
    yield Section("Where the time went", [_minutes(results.minutes)], level=3)
    yield Section("Trainings", [_trainings(results)], level=3)
    yield Section("Attacks", [_attacks(results)], level=3)
    yield Section("Environment", [Commands(facts.environment)], level=3)
    yield Section("Redo it", [Commands(facts.commands), _alone(facts)])


def _origin(facts: Facts) -> Text:
    edited = " with uncommitted changes" if facts.dirty else ""
    return Text(
        f"Parent run `{facts.run_id}`, {facts.duration:.0f} minutes (finished trainings and cells "
        f"are reused), code at commit `{facts.commit}`{edited}, data set {facts.dataset}, SHA-256 "
        f"of every pixel `{facts.sha256}`. Each run below holds its config, seed, environment and "
        "figures."
    )


def _trainings(results: Results) -> Table:
    rows = [
        [*key, training.run_id]
        for key, trainings in results.trainings.items()
        for training in trainings.values()
    ]
    said = "Every training that a number rests on, one per seed."
    return Table("trainings", ["network", "model", "part", "run"], rows, said)


def _attacks(results: Results) -> Table:
    rows = [
        [*key, str(len(cell.labels)), cell.run_id]
        for key, cells in results.cells.items()
        for cell in cells.values()
    ]
    said = "Every attacked cell, one per seed; images: how many were attacked."
    return Table("attacks", [*Key._fields, "images", "run"], rows, said)


def _alone(facts: Facts) -> Table:
    rows = [[network, part, f"`{command}`"] for network, part, command in facts.alone]
    said = "Or one part alone: the command with all values that differ from the defaults."
    return Table("commands", ["network", "part", "command"], rows, said)


def _minutes(spent: Mapping[str, Spent]) -> Table:
    total = Spent(sum(s.trainings for s in spent.values()), sum(s.attacks for s in spent.values()))
    rows = [
        [name, f"{one.trainings:.1f}", f"{one.attacks:.1f}"]
        for name, one in [*spent.items(), ("**all**", total)]
    ]
    return Table(
        "minutes",
        ["network", "trainings, minutes", "attacks, minutes"],
        rows,
        "Duration of the runs that computed the numbers, whenever that was; a run that several "
        "networks share counts once.",
    )


def short_ids(ids: Iterable[str]) -> str:
    """Return run ids, each once, shortened for a table; the end of the report has them whole."""
    return " ".join(f"`{run_id[:8]}`" for run_id in dict.fromkeys(ids))
