"""The first paper's own figures, redrawn from results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gauntlet.arrays import Labels, Predictions
from gauntlet.cells.result import CellResult
from gauntlet.evaluation.figures import Curve, draw_curves, draw_losses
from gauntlet.evaluation.matrix_figures import draw_matrices
from gauntlet.evaluation.metrics import count_matrix
from gauntlet.evaluation.outcomes import CountMatrix
from gauntlet.evaluation.pictures import as_png, smaller
from gauntlet.papers.evidence import Artifact
from gauntlet.papers.sivaslioglu2020.plan import KINDS
from gauntlet.report.claims.behind import short_ids
from gauntlet.report.claims.results import Key, Results, TrainedKey, first
from gauntlet.report.document.model import Block, Figure, slug

PARTS = ("dense", "logistic regression")
VIEWS = (("none", "white_box"), ("encoded", "encoded"), ("encoded", "white_box"))
"""Without autoencoder; as published; against an attacker who knows all."""

EPSILON = 0.1
"""Linf budget of the headline; the paper gives none for its networks."""

GREY = 50.0
"""The paper's budget for logistic regression, in grey levels."""


def losses(results: Results) -> Iterator[Block]:
    """Yield the training losses by activation and by kind of autoencoder."""
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
    curves = {n: results.curves(n).get("train/loss", {}) for n in networks}
    curves = {n: curve for n, curve in curves.items() if curve}
    ids = [first(results.trainings[TrainedKey(n, "autoencoder")]).run_id for n in curves]
    if curves:
        figure = draw_losses(curves, "training loss")
        yield Figure(name, as_png(figure), f"{caption} Runs {short_ids(ids)}.")


def curves(results: Results) -> Iterator[Figure]:
    """Yield robust accuracy over budgets, for each kind of autoencoder and each classifier."""
    for kind, part in _pairs():
        curves: dict[str, Curve] = {}
        ids: list[str] = []
        for (defence, threat_model), cell in _views(results, kind, part):
            label = "without" if defence == "none" else f"with, {threat_model}"
            epsilons = [cell.unit.per_range * epsilon for epsilon in cell.epsilons]
            curves[f"{cell.attack}, {label}"] = (epsilons, cell.accuracies)
            budget = cell.unit.axis
            ids.append(cell.run_id)
        if curves:
            figure = draw_curves(curves, f"{kind} autoencoder, {part}", budget)
            yield Figure(
                f"curves_{kind}_{slug(part)}",
                as_png(figure),
                f"{kind}, {part}: robust accuracy with and without autoencoder. Runs "
                f"{short_ids(ids)}.",
            )


def matrices(results: Results) -> Iterator[Figure]:
    """Yield the confusion matrices before and after each attack."""
    for kind, part in _pairs():
        panels: dict[str, CountMatrix] = {}
        ids: list[str] = []
        for (defence, threat_model), cell in _views(results, kind, part):
            if threat_model == "white_box" and defence == "encoded":
                continue
            before = "without" if defence == "none" else "with autoencoder"
            if f"clean, {before}" not in panels:
                panels[f"clean, {before}"] = _matrix(cell.labels, cell.clean, "prediction")
            at = cell.index_of(GREY if part == "logistic regression" else EPSILON)
            panels[f"{cell.attack}, {before}"] = _matrix(
                cell.labels, cell.attacked[at], "attacked prediction"
            )
            ids.append(cell.run_id)
        if panels:
            figure = draw_matrices(panels, f"{kind}, {part}", size=2.6)
            yield Figure(
                f"matrices_{kind}_{slug(part)}",
                as_png(figure),
                f"{kind}, {part}: before and after each attack; with the autoencoder as "
                f"published (`encoded`). Runs {short_ids(ids)}.",
            )


def _matrix(rows: Labels, columns: Predictions, name: str) -> CountMatrix:
    counts = count_matrix(rows, columns, int(rows.max()) + 1)
    return {"rows": "true class", "columns": name, "counts": counts.tolist()}


def targets(results: Results) -> Iterator[Figure]:
    """Yield the heat map of figure 15: the classes that fooled digits end in."""
    panels: dict[str, CountMatrix] = {}
    ids: list[str] = []
    for part, epsilon in (
        ("logistic regression", 16.0),
        ("logistic regression", GREY),
        ("logistic regression, sign", 16.0),
    ):
        cells = results.cells.get(Key("vanilla", part, "lr_non_targeted", "none", "white_box"), {})
        for cell in [*cells.values()][:1]:
            at = cell.index_of(epsilon)
            fooled, attacked = cell.flipped[at], cell.attacked[at]
            if not fooled.any():
                continue
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


def pictures(results: Results, artifact: Artifact) -> Iterator[Figure]:
    """Yield grids of attacked images, from the runs' own artifacts."""
    wanted = [("vanilla", "dense", "bim", *view) for view in VIEWS] + [
        (kind, "logistic regression", "lr_non_targeted", *view)
        for kind in KINDS
        for view in VIEWS[:2]
        if kind == "vanilla" or view[0] != "none"
    ]
    for names in wanted:
        for cell in [*results.cells.get(Key(*names), {}).values()][:1]:
            yield Figure(
                f"images_{slug('_'.join(names))}",
                smaller(artifact(cell.run_id, "images.png")),
                f"{', '.join(names)}: images, perturbed, difference magnified, "
                f"reconstruction. Run `{cell.run_id}`.",
            )


def latent(results: Results, artifact: Artifact) -> Iterator[Figure]:
    """Yield the variational autoencoder's latent space and manifold, as it was examined."""
    trainings = results.trainings.get(TrainedKey("variational", "autoencoder"), {})
    for training in [*trainings.values()][:1]:
        for name, caption in (
            ("latent_space", "Figures 64 and 74: test images in latent space"),
            ("manifold", "Figures 65 and 75: digits over latent space"),
        ):
            yield Figure(
                name,
                smaller(artifact(training.examination, f"{name}.png")),
                f"{caption}. Run `{training.examination}`.",
            )


def _pairs() -> Iterator[tuple[str, str]]:
    return ((kind, part) for kind in KINDS for part in PARTS)


def _views(results: Results, kind: str, part: str) -> Iterator[tuple[tuple[str, str], CellResult]]:
    for view in VIEWS:
        for key, cells in results.cells.items():
            if (key.network, key.part, key.defence, key.threat_model) == (kind, part, *view):
                yield view, first(cells)
