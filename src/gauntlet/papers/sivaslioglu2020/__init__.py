"""The first paper: autoencoders before a logistic regression or a neural network."""

from __future__ import annotations

from gauntlet.papers.paper import AUTOATTACK_IMAGES, Paper

PAPER = Paper(
    name="sivaslioglu2020",
    sentence="autoencoders before a classifier",
    code="gauntlet.papers.sivaslioglu2020.plan:networks",
    report="gauntlet.papers.sivaslioglu2020.report",
    parameters={AUTOATTACK_IMAGES.name: AUTOATTACK_IMAGES},
    first_images=(AUTOATTACK_IMAGES.name,),
)
