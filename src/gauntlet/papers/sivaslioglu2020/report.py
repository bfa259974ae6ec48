"""The first paper's own headline and tables, and the figures that `figures` draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from gauntlet.catalogue.threat_models import on_images
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.quantities import ROBUST_ACCURACY
from gauntlet.papers.evidence import Evidence
from gauntlet.papers.sivaslioglu2020 import figures
from gauntlet.papers.sivaslioglu2020.figures import EPSILON, GREY, PARTS
from gauntlet.papers.sivaslioglu2020.plan import KINDS, WEAK
from gauntlet.report.claims.page import ranking_table
from gauntlet.report.claims.ranking import (
    Survivors,
    least_left,
    mean_rate,
    n_images,
    ranking,
    survivors,
)
from gauntlet.report.claims.results import Key, Results, measured
from gauntlet.report.document.model import Number, Section, Table, Text, slug

WORST_CASE = (
    f"Robust accuracy under `white_box` at epsilon {EPSILON:g}, worst case over "
    f"{', '.join(WEAK)}, autoattack"
)


def headline(results: Results) -> list[str]:
    """Return one sentence: the worst case of the undefended, the best and the worst network."""
    strongest = _strongest(results)
    if not strongest:
        return []
    rates = {name: mean_rate(seeds) for name, seeds in strongest.items()}
    best_first = sorted(rates, key=lambda name: -rates[name].value)
    shown = dict.fromkeys([*rates][:1] + best_first[:1] + best_first[-1:])
    said = "; ".join(f"{name} {rates[name]}" for name in shown)
    images = n_images(next(iter(strongest.values())))
    return [f"**{WORST_CASE}, example by example ({images} images): {said}.**"]


def sections(evidence: Evidence) -> Iterator[Section]:
    """Yield the tables and figures; parts that were not measured are left out."""
    results, artifact = evidence.results, evidence.artifact
    strongest = _strongest(results)
    yield Section(
        "Headline",
        [
            Text(f"{WORST_CASE}, or under another, named, that leaves less."),
            Table(
                "headline",
                ["defence", "images", "robust accuracy"],
                [[n, str(n_images(s)), Number.of(mean_rate(s))] for n, s in strongest.items()],
                f"{ROBUST_ACCURACY}; images: their number. Brackets: 95 % intervals.",
            ),
            Text(
                "Each defence beside the next best, on the same images; a difference inside the "
                "noise is no ranking."
            ),
            ranking_table(ranking(strongest)),
        ],
    )
    yield Section(
        "Robust accuracy",
        [
            Text(
                "Against true labels. Neural network at epsilon 0.1, logistic regression at 50 "
                "grey levels (gradient rule, unclipped, as published)."
            ),
            *(_table(results, part) for part in PARTS),
        ],
    )
    yield Section("Losses", [*figures.losses(results)])
    yield Section("Accuracy against epsilon", [*figures.curves(results)])
    yield Section("Confusion matrices", [*figures.matrices(results)])
    yield Section("Targets", [*figures.targets(results)])
    yield Section("Perturbations", [*figures.pictures(results, artifact)])
    yield Section("Variational autoencoder", [*figures.latent(results, artifact)])


def _strongest(results: Results) -> dict[str, Survivors]:
    """Return, per defence, which images withstand every attack.

    The threat model is white_box, or another one that perturbs the image and leaves less; the name
    of the defence then says which.
    """
    found: dict[str, Survivors] = {}
    for kind, defence in product(KINDS, ("none", "encoded", "reformer")):
        name = "no autoencoder" if defence == "none" else f"{kind}, {defence}"
        left = {t: seeds for t in on_images() if (seeds := _left(results, kind, defence, t))}
        if "white_box" in left:
            under, seeds = least_left(left)
            found[name if under == "white_box" else f"{name} under {under}"] = seeds
    return found


def _left(results: Results, kind: str, defence: str, threat_model: str) -> Survivors:
    """Return which images withstand the attacks; empty: too few of the attacks were run."""
    parts = [*product(["dense"], WEAK), ("autoattack", "autoattack")]
    cells = [results.cells.get(Key(kind, *part, defence, threat_model), {}) for part in parts]
    if threat_model == "white_box" and not all(cells):
        return {}
    return survivors([seeds for seeds in cells if seeds], EPSILON)


def _table(results: Results, part: str) -> Table:
    attacks = list(dict.fromkeys(k.attack for k in results.cells if k.part == part))
    at = GREY if part == "logistic regression" else EPSILON
    views = dict.fromkeys(
        k._replace(attack="") for k in results.cells if k.part in (part, f"{part}, relative")
    )
    rows = []
    for view in views:
        if view.defence == "none" and view.network != KINDS[0]:
            continue  # the same network, the same numbers
        budget = ", relative budget" if view.part.endswith("relative") else ""
        cells = [_rate(results.cells.get(view._replace(attack=a), {}), at) for a in attacks]
        name = "" if view.defence == "none" else view.network
        rows.append([name, view.defence, view.threat_model + budget, *cells])
    return Table(
        f"robust_accuracy_{slug(part)}",
        ["autoencoder", "defence", "threat model", *attacks],
        rows,
        f"{part}, epsilon {at:g}, over {ROBUST_ACCURACY.over}; a relative budget is the same share "
        "of the output's scale as epsilon is of the images'",
    )


def _rate(cells: Mapping[int, CellResult], epsilon: float) -> str:
    return Number.of(measured(cells.values(), ROBUST_ACCURACY, epsilon)) if cells else ""
