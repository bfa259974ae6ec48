"""Figures of count matrices; numbers that are computed already come in, as in `figures`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gauntlet.arrays import Counts, Flags
from gauntlet.evaluation.figures import panels_of
from gauntlet.evaluation.outcomes import CountMatrix


def draw_matrices(matrices: Mapping[str, CountMatrix], title: str, size: float = 5.0) -> Figure:
    """Draw count matrices side by side; the colour of a cell is its share of the row.

    Args:
        matrices: by name.
        title: of the whole figure.
        size: of a panel, in inches.
    """
    figure, panels = panels_of(len(matrices), width=size, height=size + 0.2)
    figure.suptitle(title)
    for axes, (name, matrix) in zip(panels, matrices.items(), strict=True):
        _name_classes(axes, name, matrix)
        axes.title.set_fontsize(min(12.0, 3 * size))
        _fill_matrix(axes, np.asarray(matrix["counts"]), fontsize=max(4.5, 1.4 * size))
    return figure


def draw_matrix_differences(matrices: Mapping[str, CountMatrix], title: str) -> Figure:
    """Draw differences of count matrices side by side: red is more, blue is fewer, white is equal.

    All panels have the same range of colours, which reaches to the largest difference of all.

    Args:
        matrices: by name; `counts` may be negative.
        title: of the whole figure.
    """
    figure, panels = panels_of(len(matrices), width=5.0, height=5.2)
    figure.suptitle(title)
    top = max(1, *(int(np.abs(matrix["counts"]).max()) for matrix in matrices.values()))
    for axes, (name, matrix) in zip(panels, matrices.items(), strict=True):
        _name_classes(axes, name, matrix)
        counts = np.asarray(matrix["counts"])
        axes.imshow(counts, cmap="RdBu_r", vmin=-top, vmax=top)
        _write_counts(axes, counts, "+d", np.abs(counts) > 0.6 * top, fontsize=7)
    return figure


def _name_classes(axes: Axes, name: str, matrix: CountMatrix) -> None:
    ticks = range(len(matrix["counts"]))
    names = matrix.get("classes", [str(tick) for tick in ticks])
    axes.set(title=name, xlabel=matrix["columns"], ylabel=matrix["rows"])
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    if not names[-1].isdigit():  # "rejected" has to fit into a cell
        axes.get_xticklabels()[-1].set(fontsize=8)
        axes.get_yticklabels()[-1].set(fontsize=8, rotation=90, va="center")


def _fill_matrix(axes: Axes, counts: Counts, fontsize: float) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _write_counts(axes, counts, "d", shares > 0.5, fontsize)


def _write_counts(axes: Axes, counts: Counts, form: str, on_dark: Flags, fontsize: float) -> None:
    for (i, j), n in np.ndenumerate(counts):
        if n:
            colour = "white" if on_dark[i, j] else "black"
            axes.text(
                j, i, format(n, form), ha="center", va="center", fontsize=fontsize, color=colour
            )
