"""A paper that claims one thing."""

from gauntlet.papers.paper import FEW, Paper

PAPER = Paper(
    name="toy2026",
    sentence="a paper for the manual",
    code="gauntlet_examples.toy_paper.plan:networks",
    report="gauntlet_examples.toy_paper.report",
    parameters={"few": FEW},
    first_images=(FEW.name,),
)
