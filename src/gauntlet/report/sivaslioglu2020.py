"""The first paper's own tables and figures, redrawn from results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from gauntlet.config.sivaslioglu2020 import KINDS
from gauntlet.config.tables import ON_IMAGES, STRONG
from gauntlet.evaluation.figures import (
    GREY_LEVELS,
    LINF,
    draw_curves,
    draw_losses,
    draw_matrices,
)
from gauntlet.evaluation.metrics import count_matrix
from gauntlet.evaluation.pictures import as_png, smaller
from gauntlet.report.cell_result import CellResult
from gauntlet.report.claims.page import short_ids, trained
from gauntlet.report.claims.results import Key, Results, TrainedKey, budget_index
from gauntlet.report.claims.verdicts import least, mean_rate, ranking, survivors
from gauntlet.report.document.model import Block, Figure, Section, Table, Text

Artifact = Callable[[str, str], bytes]
"""Content of a run's artifact, by run id and path."""

NETWORKS = ("dense", "logistic regression")
VIEWS = (("none", "white_box"), ("encoded", "encoded"), ("encoded", "white_box"))
"""Without autoencoder; as published; against an attacker who knows all."""

EPSILON = 0.1
"""Linf budget of the headline; the paper gives none for its networks."""

WEAK = ("fgsm", "t_fgsm", "bim")
"""The paper's own attacks on a network; the ensemble `strong` joins them for the headline."""

GREY = 50.0
"""The paper's budget for logistic regression, in grey levels."""

WORST_CASE = (
    f"Robust accuracy under `white_box` at epsilon {EPSILON:g}, worst case over "
    f"{', '.join(WEAK + STRONG)}"
)


def headline(results: Results) -> list[str]:
    """Return the worst case over every attack: undefended, best, and worst."""
    strongest = _strongest(results)
    if not strongest:
        return []
    rates = {name: mean_rate(seeds) for name, seeds in strongest.items()}
    best_first = sorted(rates, key=lambda name: -rates[name].value)
    shown = dict.fromkeys([*rates][:1] + best_first[:1] + best_first[-1:])
    said = "; ".join(f"{name} {rates[name]}" for name in shown)
    images = len(next(iter(strongest.values()))[0])
    return [f"**{WORST_CASE}, example by example ({images} images): {said}.**"]


def sections(results: Results, artifact: Artifact) -> Iterator[Section]:
    """Yield the tables and figures; what was not measured is left out."""
    strongest = _strongest(results)
    yield Section(
        "Headline",
        [
            Text(f"{WORST_CASE} (`pgd` on the margin), or under another, named, that leaves less."),
            Table(
                ["defence", "images", "robust accuracy"],
                [[n, str(len(s[0])), str(mean_rate(s))] for n, s in strongest.items()],
            ),
            Text(
                "Each defence beside the next best, on the same images; a difference inside the "
                "noise is no ranking."
            ),
            Table(["comparison"], [[str(one)] for one in ranking(strongest)]),
        ],
    )
    yield Section(
        "Robust accuracy",
        [
            Text(
                "Against true labels. Neural network at epsilon 0.1, logistic regression at 50 "
                "grey levels (gradient rule, unclipped, as published)."
            ),
            *(_table(results, part) for part in NETWORKS),
        ],
    )
    yield Section("Losses", [*_losses(results)])
    yield Section("Accuracy against epsilon", [*_curves(results)])
    yield Section("Confusion matrices", [*_matrices(results)])
    yield Section("Targets", [*_targets(results)])
    yield Section("Perturbations", [*_pictures(results, artifact)])
    yield Section("Variational autoencoder", [*_latent(results, artifact)])


def _strongest(results: Results) -> dict[str, list[Any]]:
    """Return, a defence, which of the first images withstand every attack under one threat model.

    It is white_box, or one that is named: any other that perturbs the image and leaves less.
    """
    found = {}
    for kind, defence in product(KINDS, ("none", "encoded", "reformer")):
        name = "no autoencoder" if defence == "none" else f"{kind}, {defence}"
        left = {t: seeds for t in ON_IMAGES if (seeds := _left(results, kind, defence, t))}
        if "white_box" in left:
            under, seeds = least(left)
            found[name if under == "white_box" else f"{name} under {under}"] = seeds
    return found


def _left(results: Results, kind: str, defence: str, threat_model: str) -> list[Any]:
    """Return what its attacks leave; empty: none was run, or under white_box not every one."""
    parts = [*product(["dense"], WEAK), *product(["strong"], STRONG)]
    cells = [results.cells.get(Key(kind, *part, defence, threat_model), ()) for part in parts]
    if threat_model == "white_box" and not all(cells):
        return []
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
        cells = [_rate(results.cells.get(view._replace(attack=a), ()), at) for a in attacks]
        name = "" if view.defence == "none" else view.network
        rows.append([name, view.defence, view.threat_model + budget, *cells])
    return Table(
        ["autoencoder", "defence", "threat model", *attacks],
        rows,
        f"{part}, epsilon {at:g}; a relative budget is the same share of the output's "
        "scale as epsilon is of the images'",
    )


def _rate(cells: Sequence[CellResult], epsilon: float) -> str:
    seeds = [cell.correct[budget_index(cell, epsilon)] for cell in cells]
    return str(mean_rate(seeds)) if seeds else ""


def _losses(results: Results) -> Iterator[Block]:
    throughout = [key.network for key in results.trainings if key.network.endswith(" throughout")]
    yield from _loss_figure(
        results,
        "losses_by_activation",
        ["vanilla", *throughout],
        "Figures 5 and 6: training loss by activation; `vanilla` has the "
        "paper's own (relu, exponential, softplus).",
    )
    yield from _loss_figure(
        results,
        "losses_by_kind",
        KINDS,
        "Sections 5.3 to 5.5: training loss by kind. What is minimised differs "
        "(penalty, KL term), so the values cannot be ranked.",
    )


def _loss_figure(
    results: Results, name: str, networks: Sequence[str], caption: str
) -> Iterator[Figure]:
    curves = {n: trained(results, n).get("train/loss", {}) for n in networks}
    curves = {n: curve for n, curve in curves.items() if curve}
    ids = [results.trainings[TrainedKey(n, "autoencoder")][0].run_id for n in curves]
    if curves:
        figure = draw_losses(curves, "training loss")
        yield Figure(name, as_png(figure), f"{caption} Runs {short_ids(ids)}.")


def _curves(results: Results) -> Iterator[Figure]:
    for kind, part in _pairs():
        curves: dict[str, Any] = {}
        ids: list[str] = []
        for (defence, threat_model), cell in _views(results, kind, part):
            label = "without" if defence == "none" else f"with, {threat_model}"
            unit = 1 if cell.bounded else 255
            epsilons = [unit * epsilon for epsilon in cell.epsilons]
            curves[f"{cell.attack}, {label}"] = (epsilons, cell.accuracies)
            ids.append(cell.run_id)
        if curves:
            budget = GREY_LEVELS if part == "logistic regression" else LINF
            figure = draw_curves(curves, f"{kind} autoencoder, {part}", budget)
            yield Figure(
                f"curves_{kind}_{_slug(part)}",
                as_png(figure),
                f"{kind}, {part}: robust accuracy with and without autoencoder. Runs "
                f"{short_ids(ids)}.",
            )


def _matrices(results: Results) -> Iterator[Figure]:
    for kind, part in _pairs():
        panels: dict[str, Mapping[str, Any]] = {}
        ids: list[str] = []
        for (defence, threat_model), cell in _views(results, kind, part):
            if threat_model == "white_box" and defence == "encoded":
                continue
            before = "without" if defence == "none" else "with autoencoder"
            if f"clean, {before}" not in panels:
                panels[f"clean, {before}"] = _matrix(cell.labels, cell.clean, "prediction")
            at = budget_index(cell, GREY if part == "logistic regression" else EPSILON)
            panels[f"{cell.attack}, {before}"] = _matrix(
                cell.labels, cell.attacked[at], "attacked prediction"
            )
            ids.append(cell.run_id)
        if panels:
            figure = draw_matrices(panels, f"{kind}, {part}", size=2.6)
            yield Figure(
                f"matrices_{kind}_{_slug(part)}",
                as_png(figure),
                f"{kind}, {part}: before and after each attack; with the autoencoder as "
                f"published (`encoded`). Runs {short_ids(ids)}.",
            )


def _matrix(rows: Any, columns: Any, name: str) -> dict[str, Any]:
    classes = int(rows.max()) + 1
    counts = count_matrix(rows, columns, classes)
    return {"rows": "true class", "columns": name, "counts": counts.tolist()}


def _targets(results: Results) -> Iterator[Figure]:
    """Yield the heat map of figure 15: what a non-targeted run makes of each digit."""
    panels, ids = {}, []
    for part, epsilon in (
        ("logistic regression", 16.0),
        ("logistic regression", GREY),
        ("logistic regression, sign", 16.0),
    ):
        cells = results.cells.get(Key("vanilla", part, "lr_non_targeted", "none", "white_box"), ())
        for cell in cells[:1]:
            fooled = cell.flipped[budget_index(cell, epsilon)]
            attacked = cell.attacked[budget_index(cell, epsilon)]
            name = f"{part.removeprefix('logistic regression') or ', gradient'}, {epsilon:g}"
            panels[name[2:]] = _matrix(cell.labels[fooled], attacked[fooled], "turned into")
            ids.append(cell.run_id)
    if panels:
        yield Figure(
            "targets",
            as_png(draw_matrices(panels, "what fooled digits turn into")),
            "Figures 15 and 16: successes of the non-targeted attack without autoencoder. "
            "A row's largest count is its natural target, its smallest the non-natural "
            f"one. Runs {short_ids(ids)}.",
        )


def _pictures(results: Results, artifact: Artifact) -> Iterator[Figure]:
    wanted = [("vanilla", "dense", "bim", *view) for view in VIEWS] + [
        (kind, "logistic regression", "lr_non_targeted", *view)
        for kind in KINDS
        for view in VIEWS[:2]
        if kind == "vanilla" or view[0] != "none"
    ]
    for names in wanted:
        for cell in results.cells.get(Key(*names), ())[:1]:
            yield Figure(
                f"images_{_slug('_'.join(names))}",
                smaller(artifact(cell.run_id, "images.png")),
                f"{', '.join(names)}: images, perturbed, difference magnified, "
                f"reconstruction. Run `{cell.run_id}`.",
            )


def _latent(results: Results, artifact: Artifact) -> Iterator[Figure]:
    for training in results.trainings.get(TrainedKey("variational", "autoencoder"), ())[:1]:
        for name, caption in (
            ("latent_space", "Figures 64 and 74: test images in latent space"),
            ("manifold", "Figures 65 and 75: digits over latent space"),
        ):
            yield Figure(
                name,
                smaller(artifact(training.run_id, f"{name}.png")),
                f"{caption}. Run `{training.run_id}`.",
            )


def _pairs() -> Iterator[tuple[str, str]]:
    return ((kind, part) for kind in KINDS for part in NETWORKS)


def _views(results: Results, kind: str, part: str) -> Iterator[tuple[tuple[str, str], CellResult]]:
    for view in VIEWS:
        for key, cells in results.cells.items():
            if (key.network, key.part, key.defence, key.threat_model) == (kind, part, *view):
                yield view, cells[0]


def _slug(text: str) -> str:
    return text.replace(", ", "_").replace(" ", "_")
