"""Figures come back as objects: nothing global is touched, numbers stand where they belong."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from gauntlet.evaluation.figures import (
    draw_curves,
    draw_grid,
    draw_learning_curve,
    draw_losses,
)
from gauntlet.evaluation.latent_figures import draw_manifold, draw_scatter
from gauntlet.evaluation.matrix_figures import draw_matrices, draw_matrix_differences
from gauntlet.evaluation.pictures import as_png

MATRIX = {
    "rows": "true class",
    "columns": "clean prediction",
    "counts": [[9, 1, 0], [0, 5, 0], [0, 0, 0]],
}
IMAGES = np.linspace(0, 1, 3 * 4 * 4, dtype=np.float32).reshape(3, 4, 4, 1)
CHANGE = {**MATRIX, "counts": [[-4, 4, 0], [0, 0, 0], [1, -1, 0]]}
HISTORY = {
    "train/loss": {1: 3.0, 2: 2.0},
    "val/loss": {1: 4.0, 2: 3.0},
    "train/accuracy": {2: 0.1, 3: 0.5},
}

FIGURES = {
    "matrices": lambda: draw_matrices({"clean": MATRIX, "moved": MATRIX}, "title"),
    "matrix differences": lambda: draw_matrix_differences({"b": CHANGE, "c": CHANGE}, "title"),
    "curves": lambda: draw_curves({"fgsm": ([0, 0.1], [0.9, 0.2])}, "title"),
    "steps alone": lambda: draw_curves({}, "title", "pixels", {"ddn": ([0], [0.5])}),
    "many curves": lambda: draw_curves({str(i): ([0], [0.5]) for i in range(45)}, "title"),
    "learning curve": lambda: draw_learning_curve(HISTORY, "title"),
    "grid": lambda: draw_grid({"image": IMAGES}, {"image": ["0", "1", "2"]}, "title"),
    "colour grid": lambda: draw_grid({"image": np.repeat(IMAGES, 3, axis=-1)}, {}, "title"),
    "black grid": lambda: draw_grid({"image": 0 * IMAGES}, {}, "title"),
}


def _texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figure_is_drawn(draw, drawn) -> None:
    figure = draw()
    assert isinstance(figure, Figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    assert stream.getvalue().startswith(b"\x89PNG") and len(stream.getvalue()) > 2000
    assert as_png(figure).startswith(b"\x89PNG")


LONG = "apgd_dlr, defence magnet, threat model black_box, epsilon 0.1"
REJECTED = {
    "rows": "true class",
    "columns": "clean prediction",
    "counts": np.full((11, 11), 10_000).tolist(),
    "classes": [*map(str, range(10)), "rejected"],
}
ROWS = {
    name: IMAGES[[0, 1, 2] * 3 + [0]]
    for name in ("image", "perturbed", "difference", "reconstruction")
}
WITHIN = {
    "matrix": lambda: draw_matrices({"clean": REJECTED}, "test images"),
    "matrices": lambda: draw_matrices({str(i): REJECTED for i in range(6)}, LONG),
    "small matrices": lambda: draw_matrices({str(i): REJECTED for i in range(3)}, LONG, 2.5),
    "matrix differences": lambda: draw_matrix_differences({"b": CHANGE, "c": CHANGE}, LONG),
    "grid": lambda: draw_grid(ROWS, {"image": ["rej."] * 10, "perturbed": ["7"] * 10}, LONG),
    "manifold": lambda: draw_manifold(np.ones((225, 28, 28, 1)), np.linspace(-1.6, 1.6, 15), LONG),
}


@pytest.mark.parametrize("draw", WITHIN.values(), ids=WITHIN)
def test_figure_without_a_legend_stays_within_its_canvas(draw) -> None:
    figure = draw()
    assert not any(axes.get_legend() for axes in figure.axes)
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_pyplot_is_never_imported() -> None:
    script = (
        "import io, sys\n"
        "from gauntlet.evaluation.figures import draw_curves\n"
        "draw_curves({'a': ([0, 1], [1, 0])}, 'title').savefig(io.BytesIO())\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")


def test_matrix_writes_its_counts_but_no_zeros() -> None:
    (axes,) = draw_matrices({"clean": MATRIX}, "title").axes
    assert _texts(axes) == ["9", "1", "5"]
    assert (axes.get_title(), axes.get_ylabel()) == ("clean", "true class")
    assert axes.get_xlabel() == "clean prediction"


def test_matrix_names_its_classes() -> None:
    (axes,) = draw_matrices({"clean": MATRIX | {"classes": ["0", "1", "rejected"]}}, "t").axes
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == ["0", "1", "rejected"]


def test_matrix_colour_is_the_share_of_the_row() -> None:
    (axes,) = draw_matrices({"clean": MATRIX}, "title").axes
    shares = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shares, [[0.9, 0.1, 0], [0, 1, 0], [0, 0, 0]])


def test_each_matrix_has_a_panel() -> None:
    figure = draw_matrices({"clean": MATRIX, "attacked": MATRIX, "moved": MATRIX}, "title")
    assert [axes.get_title() for axes in figure.axes] == ["clean", "attacked", "moved"]


def test_matrix_differences_have_signs_and_one_range_of_colours_around_nought() -> None:
    smaller = {**CHANGE, "counts": [[-2, 2], [0, 0]]}
    panels = draw_matrix_differences({"b": CHANGE, "c": smaller}, "title").axes
    assert [_texts(axes) for axes in panels] == [["-4", "+4", "+1", "-1"], ["-2", "+2"]]
    assert [axes.images[0].get_clim() for axes in panels] == [(-4, 4)] * 2
    (equal,) = draw_matrix_differences({"b": {**CHANGE, "counts": [[0]]}}, "title").axes
    assert _texts(equal) == [] and equal.images[0].get_clim() == (-1, 1)


def test_curves_are_the_numbers_that_were_given() -> None:
    (axes,) = draw_curves({"fgsm": ([0, 0.1], [0.9, 0.2]), "bim": ([0], [0.5])}, "t").axes
    assert [line.get_label() for line in axes.lines] == ["fgsm", "bim"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 0.9], [0.1, 0.2]])


def test_steps_hold_from_each_epsilon_to_the_next_and_reach_the_end() -> None:
    listed, steps = {"pgd": ([0, 0.3], [0.9, 0.4])}, {"fmn_linf": ([0, 0.1], [0.8, 0.5])}
    (axes,) = draw_curves(listed, "t", "pixels", steps).axes
    marked, stepped = axes.lines
    assert (marked.get_marker(), marked.get_drawstyle()) == ("o", "default")
    assert (stepped.get_marker(), stepped.get_drawstyle()) == ("None", "steps-post")
    np.testing.assert_array_equal(stepped.get_xydata(), [[0, 0.8], [0.1, 0.5], [0.3, 0.5]])
    assert marked.get_color() != stepped.get_color()


def test_no_two_of_forty_curves_look_alike() -> None:
    (axes,) = draw_curves({str(i): ([0], [0.5]) for i in range(40)}, "title").axes
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 40


def test_an_attack_has_a_colour_and_a_view_a_style() -> None:
    names = [f"{a}, {v}" for v in ("without", "with") for a in ("fgsm", "bim", "pgd")]
    (axes,) = draw_curves({name: ([0], [0.5]) for name in names}, "title", "grey levels").axes
    looks = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert looks["bim, without"] == ("C1", "-") and looks["bim, with"] == ("C1", "--")
    assert len(set(looks.values())) == 6 and axes.get_xlabel() == "grey levels"


def test_manifold_is_drawn_from_the_top_each_tile_at_its_own_maximum() -> None:
    images = np.stack([np.full((2, 2, 1), value, np.float32) for value in (4, 0, 0, 8)])
    images[:, 0, 0] = 0
    (axes,) = draw_manifold(images, np.asarray([-1.0, 1.0]), "title").axes
    np.testing.assert_array_equal(
        axes.images[0].get_array(),
        [[0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1]],
    )
    assert [text.get_text() for text in axes.get_yticklabels()] == ["1.0", "-1.0"]


def test_points_of_a_class_have_its_colour() -> None:
    points = np.asarray([[0, 1], [2, 3], [4, 5]], np.float32)
    (axes,) = draw_scatter(points, np.asarray([3, 7, 3]), "title").axes
    three, seven = axes.collections
    np.testing.assert_array_equal(three.get_offsets(), points[[0, 2]])
    np.testing.assert_array_equal(seven.get_offsets(), points[[1]])


def test_losses_are_lines_of_their_names() -> None:
    axes = draw_losses({"relu": {1: 600.0, 2: 590.0}, "tanh": {1: 1e3}}, "title").axes[0]
    assert [line.get_label() for line in axes.lines] == ["relu", "tanh"]
    assert axes.get_yscale() == "log" and list(axes.lines[0].get_ydata()) == [600.0, 590.0]


def test_learning_curve_has_a_panel_a_kind_and_the_epochs_of_each_metric() -> None:
    panels = draw_learning_curve(HISTORY, "title").axes
    assert [axes.get_ylabel() for axes in panels] == ["loss", "accuracy"]
    assert [line.get_label() for line in panels[0].lines] == ["train/loss", "val/loss"]
    np.testing.assert_array_equal(panels[0].lines[0].get_xydata(), [[1, 3], [2, 2]])
    np.testing.assert_array_equal(panels[1].lines[0].get_xydata(), [[2, 0.1], [3, 0.5]])


RANGES = {
    # images -> limits of the colours
    "dark image": (0.5 * IMAGES, (0, 1)),
    "bright output": (84 * IMAGES, (0, 84)),
    "difference": (0.2 * IMAGES - 0.1, (-0.1, 0.1)),
    "image that left the box a little": (1.1 * IMAGES - 0.1, (0, 1)),
}


@pytest.mark.parametrize(("images", "limits"), RANGES.values(), ids=RANGES)
def test_range_of_a_row(images: np.ndarray, limits: tuple[float, float]) -> None:
    (axes,) = draw_grid({"row": images}, {}, "title").axes
    assert axes.images[0].get_clim() == pytest.approx(limits, rel=1e-6)  # float32
    assert f"{limits[1]:.3g}" in axes.get_ylabel()


def test_grid_puts_captions_over_their_images() -> None:
    rows = {"image": IMAGES, "perturbed": IMAGES}
    axes = draw_grid(rows, {"perturbed": ["7", "1", "4"]}, "title").axes
    assert _texts(axes[0]) == [] and _texts(axes[1]) == ["7", "1", "4"]
    assert [text.get_position() for text in axes[1].texts] == [(0, 0), (4, 0), (8, 0)]
