"""A paper's report: verdicts first, then what stands behind them, then how to redo it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gauntlet.report import chance
from gauntlet.report.claims.results import Key, Results, Spent, TrainedKey
from gauntlet.report.claims.schema import Holds, PaperClaims
from gauntlet.report.claims.verdicts import ClaimOutcome, ReadingOutcome, counts
from gauntlet.report.document.model import Block, Commands, Document, Section, Table, Text


class Facts(NamedTuple):
    """What a reader must know of the reproduction to trust or redo it.

    Attributes:
        run_id: of the parent run.
        seeds: how many trainings of every network.
        first_seed: the first of them.
        dataset, sha256: the data and the digest of every pixel.
        commit, dirty: of the code.
        environment: the pinned packages, a line each.
        commands: that redo it.
        alone: network, part and the command that redoes it without the others, for each.
        duration: of the parent run, in minutes.
        judges: whether the sizes are such that a verdict means anything.
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


THREAT_MODELS: Mapping[str, str] = {
    "white_box": "The attacker knows all of the defence and perturbs the image; the gradient goes "
    "through autoencoder and classifier, and the whole defended model judges. **The honest "
    "number**: a defence that works only while it is secret is not one.",
    "gray_box": "The attacker knows the classifier but not of the autoencoder before it; the "
    "defended model judges. The first paper's idea of a filter, and MagNet's own evaluation.",
    "transfer": "The attacker has an undefended model of its own, trained from another seed, and "
    "carries its adversarial images over.",
    "encoded": "The perturbation is added *behind* the autoencoder, to its output, and the "
    "classifier judges. The first paper measured its logistic regression so; the autoencoder "
    "filters nothing here, and a budget means little where the output's scale is free.",
    "black_box": "The attacker asks for scores only. Where this beats white_box, gradients are "
    "masked.",
}
"""A paragraph each."""


def document(
    claims: PaperClaims,
    outcomes: Sequence[ClaimOutcome],
    results: Results,
    facts: Facts,
    headline: Sequence[str],
    own: Sequence[Section],
) -> Document:
    """Return the report.

    Args:
        claims: of the paper.
        outcomes: of each claim.
        results: all that was measured.
        facts: about the reproduction.
        headline: sentences on the strongest attack under the strongest threat model.
        own: sections that this paper alone has, tables and figures.
    """
    return Document(
        f"Reproduction of “{claims.title}”",
        [
            _abstract(claims, outcomes, facts),
            *headline,
            *(f"Warning: {line}." for line in warnings(results)),
        ],
        [
            Section("Verdicts", [_overview(outcomes)]),
            *own,
            Section("Threat models", [Text(f"`{n}`: {text}") for n, text in _used(results)]),
            Section("Claims one by one", [Text(_RULE)]),
            *(_claim(outcome) for outcome in outcomes),
            *_behind(results, facts),
        ],
    )


_RULE = (
    "A claim is read in every way that its text allows; each reading is a list of checks. All "
    "readings hold: reproduced. Some hold: reproduced only under these. None holds: not "
    "reproduced. Nothing could be measured: not checkable. An order is claimed only where its "
    "noise was tested: shares of images by McNemar's test on the same images (Fisher's on "
    "different ones), every number of several seeds by the paired t test over seeds (Holm's "
    "correction over the pairs that were tested, 5 %). If a difference is inside the noise, the "
    "order did not show. Losses, drops, noise levels and concentrations of one seed are shown, but "
    "not tested: they make an order neither hold nor fail, and a claim of which nothing else "
    "decides is not tested. A training that diverged has an infinite loss, above that of any that "
    "did not, whatever the noise; if another seed diverges, one seed does not tell. Brackets are "
    "95 % intervals: Wilson's over images for one seed, t over seeds for several. Success rates "
    "are over all attacked images; what was misclassified before is no success."
)


def _abstract(claims: PaperClaims, outcomes: Sequence[ClaimOutcome], facts: Facts) -> str:
    said = counted(outcomes) if facts.judges else SMOKE
    seeds = f"One seed ({facts.first_seed})" if facts.seeds == 1 else f"{facts.seeds} seeds"
    return (
        f"{claims.authors}, {claims.published}. **{said}** "
        f"(readings in each case below). {seeds}, data set {facts.dataset}, run `{facts.run_id}`."
    )


def counted(outcomes: Sequence[ClaimOutcome]) -> str:
    """Return how many claims came to each verdict."""
    said = ", ".join(f"{n} {verdict}" for verdict, n in counts(outcomes).items())
    return f"{len(outcomes)} claims: {said}"


SMOKE = (
    "Smoke sizes judge nothing: a verdict below shows what a report looks like, and verdicts are "
    "not counted"
)


def _overview(outcomes: Sequence[ClaimOutcome]) -> Table:
    return Table(
        ["claim", "where", "published", "measured", "verdict"],
        [
            [
                f"{o.claim.text} ([{o.claim.id}](#{o.claim.id}))",
                o.claim.where,
                o.claim.published,
                o.measured,
                f"**{o.verdict}**{o.sentence.removeprefix(o.verdict)}",
            ]
            for o in outcomes
        ],
        "Measured: in the first reading that holds, or in the first if none does. Each claim's "
        "link leads to all its readings, numbers and runs.",
    )


def _claim(outcome: ClaimOutcome) -> Section:
    claim = outcome.claim
    blocks: list[Block] = [
        Text(f"{claim.text} Published ({claim.where}): {claim.published}. **{outcome.sentence}**")
    ]
    if claim.ambiguity:
        blocks.append(Text(f"Open in the text: {claim.ambiguity}"))
    if claim.tolerance:
        blocks.append(Text(f"Tolerance: {claim.tolerance}"))
    if outcome.readings:
        rows = [row for reading in outcome.readings for row in _rows(reading)]
        blocks.append(Table(["reading", "measured", "expected", "outcome", "runs"], rows))
    return Section(claim.id, blocks, level=3)


def _rows(reading: ReadingOutcome) -> Iterator[list[str]]:
    for check in reading.checks:
        pairs = list(zip(check.measures, check.estimates, strict=True))
        measured = "; ".join(f"{m}: {Holds.MISSING if e is None else e}" for m, e in pairs)
        ids = (i for _, e in pairs if e is not None for i in e.run_ids)
        yield [reading.name, measured, str(check.expect), check.holds.value, short_ids(ids)]


def warnings(results: Results) -> Iterator[str]:
    """Yield what a reader must know before believing a number: what learned nothing."""
    first = ((key, cells[0]) for key, cells in results.cells.items())
    return chance.warnings(
        chance.Judged(f"{key.network}, {key.part}, {key.defence}", cell.labels, cell.clean)
        for key, cell in first
    )


def short_ids(ids: Iterable[str]) -> str:
    """Return run ids, each once, as they fit a table: the whole ones stand at the report's end."""
    return " ".join(f"`{run_id[:8]}`" for run_id in dict.fromkeys(ids))


def _used(results: Results) -> Iterator[tuple[str, str]]:
    used = {key.threat_model for key in results.cells}
    return ((name, text) for name, text in THREAT_MODELS.items() if name in used)


def _behind(results: Results, facts: Facts) -> Iterator[Section]:
    yield Section(
        "What stands behind each number",
        [
            Text(
                f"Parent run `{facts.run_id}`, {facts.duration:.0f} minutes (finished trainings "
                "and cells are reused), code at commit "
                f"`{facts.commit}`{' with uncommitted changes' if facts.dirty else ''}, data set "
                f"{facts.dataset}, SHA-256 of every pixel `{facts.sha256}`. Each run below holds "
                "its config, seed, environment and figures."
            ),
        ],
    )
    for title, found in (("Failed", results.failed), ("Diverged", results.diverged)):
        if found:
            rows = [[*item] for item in found.items()]
            yield Section(title, [Table(["what", "why"], rows)], level=3)
    yield Section("Where the time went", [_minutes(results.minutes)], level=3)
    yield Section(
        "Trainings",
        [
            Table(
                ["network", "model", "part", "run"],
                [
                    [*key, training.run_id]
                    for key, trainings in results.trainings.items()
                    for training in trainings
                ],
            )
        ],
        level=3,
    )
    yield Section(
        "Attacks",
        [
            Table(
                [*Key._fields, "images", "run"],
                [
                    [*key, str(len(cell.labels)), cell.run_id]
                    for key, cells in results.cells.items()
                    for cell in cells
                ],
            )
        ],
        level=3,
    )
    yield Section("Environment", [Commands(facts.environment)], level=3)
    rows = [[network, part, f"`{command}`"] for network, part, command in facts.alone]
    yield Section(
        "Redo it",
        [
            Commands(facts.commands),
            Table(
                ["network", "part", "command"],
                rows,
                "Or one part alone: what its config says beside the defaults.",
            ),
        ],
    )


def _minutes(spent: Mapping[str, Spent]) -> Table:
    total = Spent(sum(s.trainings for s in spent.values()), sum(s.attacks for s in spent.values()))
    rows = [
        [name, f"{one.trainings:.1f}", f"{one.attacks:.1f}"]
        for name, one in [*spent.items(), ("**all**", total)]
    ]
    return Table(
        ["network", "trainings, minutes", "attacks, minutes"],
        rows,
        "Of the runs that computed them, whenever that was.",
    )


def trained(results: Results, network: str) -> Mapping[str, Mapping[int, float]]:
    """Return a network's autoencoder's metrics of the first seed; empty: it has no run."""
    trainings = results.trainings.get(TrainedKey(network, "autoencoder"))
    return trainings[0].metrics if trainings else {}
