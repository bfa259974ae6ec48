"""Figures: every function takes numbers that are computed already and returns a Figure.

Margins are set by hand: matplotlib's constrained layout renders twice, and a run draws about a
hundred figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gauntlet.arrays import Images
from gauntlet.catalogue.units import PIXEL_RANGE

COLOURS = 10
STYLES = ("-", "--", "-.", ":")
MARKERS = "ov^Dp*<>hXPdH8"

Curve: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""Epsilons and accuracies."""


def draw_curves(
    curves: Mapping[str, Curve],
    title: str,
    budget: str = PIXEL_RANGE.axis,
    steps: Mapping[str, Curve] = {},
) -> Figure:
    """Draw robust accuracy against epsilon.

    Args:
        curves: by name; one without a name stands in no legend. If the names are `attack, view`,
            each attack gets a colour and each view a style of line, as far as there are enough of
            both.
        title: of the figure.
        budget: label of the epsilons.
        steps: by name, more curves, each of which is known everywhere: an accuracy holds from its
            epsilon to the next. They have no markers, and reach to the largest epsilon of all.
    """
    figure, axes = _lines()
    both = {**curves, **steps}
    end = max(max(epsilons) for epsilons, _ in both.values())
    for name, (colour, style) in zip(both, _looks(both), strict=True):
        epsilons, accuracies = both[name]
        if name in steps:
            epsilons, accuracies = [*epsilons, end], [*accuracies, accuracies[-1]]
        look = {"drawstyle": "steps-post"} if name in steps else {"marker": "o", "ms": 3}
        axes.plot(epsilons, accuracies, label=name, color=colour, ls=style, **look)
    axes.set(title=title, xlabel=budget, ylabel="robust accuracy", ylim=(-0.02, 1.02))
    _explain(axes)
    return figure


def draw_bracket(
    certified: Curve, attacked: Curve, title: str, budget: str = PIXEL_RANGE.axis
) -> Figure:
    """Draw what attacks leave above what is proven; robust accuracy lies in the band between.

    Args:
        certified: lower end.
        attacked: upper end, at the same epsilons or at some of them; maybe at none.
        title: of the figure.
        budget: label of the epsilons.
    """
    figure, axes = _lines()
    axes.plot(*attacked, marker="o", ms=3, color="C3", label="left by white_box attacks")
    axes.plot(*certified, marker="o", ms=3, color="C0", label="certified")
    proven = dict(zip(*certified, strict=True))
    below = [proven[epsilon] for epsilon in attacked[0]]
    axes.fill_between(*attacked, below, color="C7", alpha=0.3, lw=0, label="open")
    axes.set(title=title, xlabel=budget, ylabel="robust accuracy", ylim=(-0.02, 1.02))
    _explain(axes)
    return figure


def _looks(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield a colour and a style for each line; the first forty all differ."""
    halves = [name.partition(", ")[::2] for name in names]
    first, second = ([*dict.fromkeys(half)] for half in zip(*halves, strict=True))
    by_half = 1 < len(second) <= len(STYLES) and len(first) <= COLOURS
    for i, (one, other) in enumerate(halves):
        colour, style = i % COLOURS, i // COLOURS % len(STYLES)
        if by_half:
            colour, style = first.index(one), second.index(other)
        yield f"C{colour}", STYLES[style]


def draw_rates(curves: Mapping[str, Curve], over: str, rate: str) -> Figure:
    """Draw shares against a count on a logarithmic axis, one line per name: (counts, shares)."""
    figure, axes = _lines()
    for name, (counts, shares) in curves.items():
        axes.plot(counts, shares, marker="o", ms=3, ls=":" if "paper" in name else "-", label=name)
    axes.set(xlabel=over, ylabel=rate, xscale="log", ylim=(-0.02, 1.02))
    _explain(axes)
    return figure


def draw_costs(points: Mapping[str, Mapping[str, tuple[float, float]]], title: str) -> Figure:
    """Draw robust accuracy against calls per image: defence -> attack -> both.

    There is one colour per defence and one marker per attack. Calls are on a logarithmic axis, and
    must be above 0.
    """
    figure, axes = _lines()
    attacks = list(dict.fromkeys(attack for found in points.values() for attack in found))
    markers = {attack: MARKERS[i % len(MARKERS)] for i, attack in enumerate(attacks)}
    colours = {defence: f"C{i % COLOURS}" for i, defence in enumerate(points)}
    for defence, found in points.items():
        for attack, (calls, left) in found.items():
            axes.plot(calls, left, marker=markers[attack], color=colours[defence], mec="w", mew=0.5)
    axes.set(title=title, xlabel="gradients and queries per image", xscale="log")
    axes.set(ylabel="robust accuracy", ylim=(-0.02, 1.02))
    for defence, colour in colours.items():
        axes.plot([], [], "s", color=colour, label=defence)
    for attack, marker in markers.items():
        axes.plot([], [], marker, color="0.4", label=attack)
    _explain(axes)
    return figure


def draw_bars(series: Mapping[str, Mapping[str, tuple[float, float, float]]], title: str) -> Figure:
    """Draw shares as horizontal bars: series -> label -> (value, low, high), all in [0, 1]."""
    labels = list(dict.fromkeys(label for bars in series.values() for label in bars))
    figure = Figure(figsize=(9, 0.2 * len(labels) * (len(series) + 1) + 1.2))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.34, right=0.97, bottom=0.08, top=0.93)
    thickness = 0.8 / len(series)
    for i, (name, bars) in enumerate(series.items()):
        at = [labels.index(label) + (i + 0.5) * thickness - 0.4 for label in bars]
        values, low, high = np.asarray(list(bars.values())).T
        axes.barh(
            at,
            values,
            thickness,
            xerr=(values - low, high - values),
            label=name,
            error_kw={"lw": 0.8},
        )
    figure.suptitle(title)
    axes.set(yticks=range(len(labels)), yticklabels=labels, xlim=(0, 1))
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    return figure


def draw_learning_curve(history: Mapping[str, Mapping[int, float]], title: str) -> Figure:
    """Draw each metric's value by epoch, one panel per kind of metric (loss, accuracy)."""
    kinds = sorted({name.split("/")[-1] for name in history}, reverse=True)
    figure, panels = panels_of(len(kinds), width=5.0, height=4.0)
    figure.suptitle(title)
    for axes, kind in zip(panels, kinds, strict=True):
        for name, values in history.items():
            if name.split("/")[-1] == kind:
                axes.plot(list(values), list(values.values()), marker=".", label=name)
        axes.set(xlabel="epoch", ylabel=kind)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def draw_losses(losses: Mapping[str, Mapping[int, float]], title: str) -> Figure:
    """Draw losses by epoch on a logarithmic axis, because some diverge; one line per name."""
    figure, axes = _lines()
    for name, values in losses.items():
        axes.plot(list(values), list(values.values()), marker=".", label=name)
    axes.set(title=title, xlabel="epoch", ylabel="loss", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    _explain(axes)
    return figure


def draw_grid(
    rows: Mapping[str, Images], captions: Mapping[str, Sequence[str]], title: str
) -> Figure:
    """Draw rows of k images each, the same example in each column.

    A row with values as far below zero as above is taken for a difference: zero is white, and its
    own range fills the colours. Other rows are drawn from 0 to their maximum, but at least to 1.
    The range stands beside each row.
    """
    columns = len(next(iter(rows.values())))
    figure = Figure(figsize=(1.0 * columns + 1.8, 1.2 * len(rows) + 0.5))
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    figure.subplots_adjust(left=1.6 / (columns + 1.8), right=0.99, bottom=0.06, top=0.92)
    for axes, (name, images) in zip(panels, rows.items(), strict=True):
        _fill_row(axes, name, images, captions.get(name, ()))
    return figure


def _fill_row(axes: Axes, name: str, images: Images, captions: Sequence[str]) -> None:
    width = images.shape[2]
    strip = np.concatenate([image.mean(axis=-1) for image in images], axis=1)
    top = max(float(np.abs(images).max()), 1e-9)
    signed = images.min() < -0.5 * top
    low, high, scale = (
        (-top, top, f"±{top:.3g}") if signed else (0, max(top, 1), f"0..{max(top, 1):.3g}")
    )
    axes.imshow(strip, cmap="RdBu_r" if signed else "gray", vmin=low, vmax=high, aspect="auto")
    axes.set(yticks=[], xticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_ylabel(f"{name}\n({scale})", fontsize=8, rotation=0, ha="right", va="center")
    for i, caption in enumerate(captions):
        axes.text(i * width, 0, caption, ha="left", va="top", fontsize=10, color="gold")


def _lines() -> tuple[Figure, Axes]:
    """Return axes for lines, with room for the legend at the right."""
    figure = Figure(figsize=(9, 4.5))
    figure.subplots_adjust(left=0.09, right=0.67, bottom=0.12, top=0.92)
    return figure, figure.subplots()


def _explain(axes: Axes) -> None:
    """Draw the grid, and a legend of the lines that have a name."""
    axes.grid(alpha=0.3, which="both")
    if not axes.get_legend_handles_labels()[1]:
        axes.figure.subplots_adjust(right=0.97)
        return
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)


def panels_of(n: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure and `n` axes, at most four in a row; `width` and `height` in inches each."""
    columns, rows = min(n, 4), -(-n // 4)
    figure = Figure(figsize=(width * columns, height * rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0.6 / (width * columns),
        right=1 - 0.15 / (width * columns),
        wspace=0.2,
        hspace=max(0.25, 0.9 / height),
        bottom=0.55 / (height * rows),
        top=1 - 0.62 / (height * rows),
    )
    for empty in panels[n:]:
        empty.remove()
    return figure, list(panels[:n])
