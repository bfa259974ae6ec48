"""Figures as PNG files, and small enough to be embedded in pages."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rendered(figure: Figure) -> bytes:
    """Return a figure as a PNG.

    Only a legend may stand outside the canvas, which grows to hold it: that renders the figure
    twice, and a run draws about a hundred.
    """
    file = io.BytesIO()
    grows = any(axes.get_legend() for axes in figure.axes)
    figure.savefig(file, format="png", dpi=100, bbox_inches="tight" if grows else None)
    return file.getvalue()


def as_png(figure: Figure) -> bytes:
    """Return a figure as a small PNG."""
    return smaller(rendered(figure))


def smaller(png: bytes) -> bytes:
    """Return a picture in 64 colours, which makes it a third as large; a plot looks the same."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue()
