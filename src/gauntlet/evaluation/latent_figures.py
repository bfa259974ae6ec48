"""Figures of a two-dimensional latent space (first paper, figures 64, 65, 74 and 75)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gauntlet.arrays import Floats, Images, Labels


def draw_scatter(points: Floats, classes: Labels, title: str) -> Figure:
    """Draw points `(n, 2)`, coloured by class."""
    figure = Figure(figsize=(7, 6))
    axes = figure.subplots()
    for each in np.unique(classes):
        x, y = points[classes == each].T
        axes.scatter(x, y, s=3, color=f"C{each % 10}", label=str(each), rasterized=True)
    axes.set(title=title, xlabel="first dimension", ylabel="second dimension")
    axes.legend(markerscale=4, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return figure


def draw_manifold(images: Images, coordinates: NDArray[np.float64], title: str) -> Figure:
    """Draw a square of k * k images, row by row from the top.

    Each is scaled to its own maximum, because decoded images need not lie in [0, 1]. `coordinates`
    `(k,)` are those of the columns, and of the rows from the bottom.
    """
    k, (height, width) = len(coordinates), images.shape[1:3]
    tops = np.maximum(images.max(axis=(1, 2, 3), keepdims=True), 1e-9)
    tiles = (images / tops).mean(axis=-1).reshape(k, k, height, width)
    figure = Figure(figsize=(7, 7))
    axes = figure.subplots()
    axes.imshow(tiles.transpose(0, 2, 1, 3).reshape(k * height, k * width), cmap="gray")
    names = [f"{c:.1f}" for c in coordinates]
    axes.set_xticks([(i + 0.5) * width for i in range(k)], names, fontsize=7)
    axes.set_yticks([(i + 0.5) * height for i in range(k)], names[::-1], fontsize=7)
    axes.set(title=title, xlabel="first dimension", ylabel="second dimension")
    return figure
