"""The manual's pictures, as SVG text: boxes, arrows and words at fixed places.

SVG, because README shows them too: GitHub and Sphinx both draw it, without a script from elsewhere,
and it follows the reader's light or dark colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from xml.sax.saxutils import escape

from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.catalogue.threat_models import THREAT_MODELS, on_images

STYLE = """\
text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; text-anchor: middle }
text { fill: #1f2328 }
.page { fill: #ffffff }
.small { font-size: 12px; fill: #59636e }
.box { fill: #eef4fb; stroke: #4a7ab0 }
.store { fill: #f3f1ea; stroke: #9a8c5c }
.add { fill: #fbeeee; stroke: #b04a4a }
.arrow { stroke: #59636e; stroke-width: 1.5; fill: none; marker-end: url(#tip) }
#tip path { fill: #59636e }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117 } text { fill: #e6edf3 } .small { fill: #9da7b1 }
  .box { fill: #16263a; stroke: #6d9dd1 } .store { fill: #29261b; stroke: #b3a672 }
  .add { fill: #3a1d1d; stroke: #d17a7a } .arrow { stroke: #9da7b1 } #tip path { fill: #9da7b1 }
}"""

TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker>'
)

LINE = 18
"""Pixels between two lines of text."""


class Box(NamedTuple):
    """A rectangle with centred text; the first line is large, the others are small."""

    x: int
    y: int
    width: int
    height: int
    lines: Sequence[str]
    kind: str = "box"

    @property
    def svg(self) -> str:
        """The rectangle and its text."""
        middle = self.x + self.width / 2
        top = self.y + self.height / 2 - LINE * (len(self.lines) - 1) / 2 + 5
        rect = (
            f'<rect class="{self.kind}" x="{self.x}" y="{self.y}" width="{self.width}" '
            f'height="{self.height}" rx="6"/>'
        )
        texts = [
            words(middle, top + LINE * i, line, small=i > 0) for i, line in enumerate(self.lines)
        ]
        return "\n".join([rect, *texts])


def words(x: float, y: float, text: str, *, small: bool = True) -> str:
    """Return one centred line of text."""
    kind = ' class="small"' if small else ""
    return f'<text{kind} x="{x:g}" y="{y:g}">{escape(text)}</text>'


def arrow(*points: tuple[int, int]) -> str:
    """Return a line through points with a tip at its end."""
    return f'<path class="arrow" d="M{" L".join(f"{x} {y}" for x, y in points)}"/>'


def picture(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """Return a whole SVG file; the title is what a screen reader says."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    named = f'role="img" aria-label="{escape(title)}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {named}>',
            f"<title>{escape(title)}</title>",
            f"<style>\n{STYLE}\n</style>",
            f"<defs>{TIP}</defs>",
            f'<rect class="page" width="{width}" height="{height}" rx="6"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def flow() -> str:
    """Return the picture of a run of `attack`: what is made of what, and what is kept."""
    stages = (
        ("data set", "checked by", "digest"),
        ("autoencoder", "trained", "on images"),
        ("classifier", "trained", "on images or output"),
        ("defended model", "one graph,", "image to logits"),
        ("cells", "attack × defence", "× threat model"),
        ("table", "worst case,", "headline, warnings"),
    )
    width, gap, top = 132, 24, 64
    boxes = [Box(10 + i * (width + gap), top, width, 74, lines) for i, lines in enumerate(stages)]
    arrows = [arrow((b.x + width, top + 37), (b.x + width + gap, top + 37)) for b in boxes[:-1]]
    whole = boxes[-1].x + width - 10
    asks = Box(
        10,
        8,
        whole,
        30,
        ["mlflow run . -e " + " | ".join(name for name in ENTRY_POINTS if name != "main")],
        "store",
    )
    keeps = Box(
        10,
        172,
        whole,
        54,
        [
            "MLflow store: one run per training and per cell",
            "with settings, seed, inputs and code; it is reused while these are the same",
        ],
        "store",
    )
    down = [arrow((b.x + width // 2, 138), (b.x + width // 2, 172)) for b in boxes[1:3]]
    down += [arrow((b.x + width // 2, 138), (b.x + width // 2, 172)) for b in boxes[4:]]
    parts = [asks.svg, *(b.svg for b in boxes), *arrows, *down, keeps.svg]
    return picture(whole + 20, 236, "The flow of an attack run", parts)


def cell() -> str:
    """Return the picture of a cell: where the perturbation is added, and who judges."""
    chain = [
        Box(10, 90, 120, 60, ["image x", "true label known"]),
        Box(170, 90, 160, 60, ["autoencoder", "if the defence has one"]),
        Box(370, 90, 110, 60, ["AE(x)", "its output"]),
        Box(530, 90, 110, 60, ["classifier", "logits"]),
        Box(690, 90, 170, 60, ["predicted class", "equal to the true label?"]),
    ]
    arrows = [arrow((a.x + a.width, 120), (b.x, 120)) for a, b in pairwise(chain)]
    behind_it = (name for name in THREAT_MODELS if name not in on_images())
    on_image = Box(
        10,
        8,
        300,
        46,
        [f"every threat model but {', '.join(behind_it)}", "adds the perturbation here"],
        "add",
    )
    behind = Box(345, 8, 160, 46, ["encoded", "adds it here"], "add")
    drops = [arrow((70, 54), (70, 90)), arrow((425, 54), (425, 90))]
    measured = Box(
        180,
        190,
        680,
        46,
        [
            "one cell = one defence × one threat model × one attack, at each epsilon",
            "robust accuracy, success rate, noise level, confusion matrices, every example",
        ],
        "store",
    )
    last = arrow((775, 150), (775, 190))
    parts = [*(b.svg for b in (*chain, on_image, behind, measured)), *arrows, *drops, last]
    return picture(870, 246, "A cell: where each threat model adds its perturbation", parts)
