"""The report of a paper: verdicts, the numbers behind them, how to redo it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.report import chance
from gauntlet.report.claims.behind import Facts, behind, short_ids
from gauntlet.report.claims.outcomes import Holds
from gauntlet.report.claims.ranking import RankedPair
from gauntlet.report.claims.results import Estimate, Results, first, quantity_of
from gauntlet.report.claims.schema import PaperClaims
from gauntlet.report.claims.verdicts import ClaimOutcome, ReadingOutcome, counts
from gauntlet.report.document.model import Block, Document, Number, Section, Table, Text


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
        results: everything that was measured.
        facts: about the reproduction.
        headline: sentences on the worst case over attacks.
        own: sections that only this paper has.
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
            *behind(results, facts),
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
    "not tested: such an order neither holds nor fails, and a claim that nothing else decides is "
    "not tested. A diverged training counts as an infinite loss, above every finite one whatever "
    "the noise; if only some seeds diverge, the order is not tested. Brackets are 95 % intervals: "
    "Wilson's over images for one seed, t over seeds for several. Success rates are over all "
    "attacked images; images that are misclassified without attack are no successes."
)


def _abstract(claims: PaperClaims, outcomes: Sequence[ClaimOutcome], facts: Facts) -> str:
    said = counted(outcomes) if facts.judges else SMOKE
    seeds = f"One seed ({facts.first_seed})" if facts.seeds == 1 else f"{facts.seeds} seeds"
    return (
        f"{claims.authors}, {claims.published}. **{said}** "
        f"(readings in each case below). {seeds}, data set {facts.dataset}, run `{facts.run_id}`."
    )


def counted(outcomes: Sequence[ClaimOutcome]) -> str:
    """Return how many claims have each verdict, as text."""
    said = ", ".join(f"{n} {verdict}" for verdict, n in counts(outcomes).items())
    return f"{len(outcomes)} claims: {said}"


SMOKE = (
    "Smoke sizes judge nothing: a verdict below shows what a report looks like, and verdicts are "
    "not counted"
)


def _overview(outcomes: Sequence[ClaimOutcome]) -> Table:
    return Table(
        "verdicts",
        ["claim", "where", "published", "measured", "verdict"],
        [
            [
                f"{o.claim.text} ([{o.claim.id}](#{o.claim.id}))",
                o.claim.where,
                o.claim.published,
                _number(o.measured, o.shown if len(o.shown) == 1 else ()),
                f"**{o.verdict}**{o.sentence.removeprefix(o.verdict)}",
            ]
            for o in outcomes
        ],
        "Measured: in the first reading that holds, or in the first reading if none holds. The "
        "link of a claim leads to all its readings, denominators, numbers and runs.",
    )


def ranking_table(pairs: Sequence[RankedPair]) -> Table:
    """Return each defence beside the next best, a sentence per pair."""
    caption = (
        "Difference of robust accuracies on the same attacked images, over the seeds that all "
        "have; p-values are corrected for the pairs of this table."
    )
    return Table("ranking", ["comparison"], [[_ranked(pair)] for pair in pairs], caption)


def _ranked(pair: RankedPair) -> str:
    return Number(str(pair), {"difference": pair.difference, "p": pair.p_value})


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
        header = ["reading", "measured", "expected", "outcome", "runs"]
        blocks.append(Table(f"claim_{claim.id}", header, rows, _denominators(outcome)))
    return Section(claim.id, blocks, level=3)


def _denominators(outcome: ClaimOutcome) -> str:
    """Return what the claim's quantities are, and what they count over."""
    measures = (m for r in outcome.readings for check in r.checks for m in check.measures)
    quantities = {quantity.name: quantity for quantity in map(quantity_of, measures)}
    return "; ".join(f"`{name}`: {quantity}" for name, quantity in quantities.items())


def _rows(reading: ReadingOutcome) -> Iterator[list[str]]:
    for check in reading.checks:
        pairs = list(zip(check.measures, check.estimates, strict=True))
        text = "; ".join(f"{m}: {Holds.MISSING if e is None else e}" for m, e in pairs)
        ids = (i for _, e in pairs if e is not None for i in e.run_ids)
        measured = _number(text, check.estimates)
        yield [reading.name, measured, str(check.expect), check.holds.value, short_ids(ids)]


def _number(text: str, estimates: Sequence[Estimate | None]) -> str:
    """Return a text with its numbers; those of several estimates are counted: `value 2`."""
    parts: dict[str, float] = {}
    for count, estimate in enumerate(estimates, start=1):
        end = "" if len(estimates) == 1 else f" {count}"
        if estimate is not None and isinstance(estimate.value, float):
            numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
            parts |= {f"{name}{end}": number for name, number in numbers.items()}
    return Number(text, parts)


def warnings(results: Results) -> Iterator[str]:
    """Yield what a reader must know before trusting a number: models that learned nothing."""
    shown = ((key, first(cells)) for key, cells in results.cells.items())
    return chance.warnings(
        chance.Judged(f"{key.network}, {key.part}, {key.defence}", cell.labels, cell.clean)
        for key, cell in shown
    )


def _used(results: Results) -> Iterator[tuple[str, str]]:
    used = {key.threat_model for key in results.cells}
    return ((name, entry.why) for name, entry in THREAT_MODELS.items() if name in used)
