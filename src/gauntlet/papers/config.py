"""Config of the entry point that checks a paper's claims."""

from __future__ import annotations

from gauntlet.catalogue.parameters import TEXT, Parameter, integer, one_of
from gauntlet.config.data import First, RunConfig, data_parameters
from gauntlet.papers.paper import PAPERS, Paper

ALL = "all"

SEEDS = Parameter(
    "seeds",
    integer(1, 1000),
    1,
    "trainings of every network: seed, seed + 1, ...; MagNet takes the first",
)
OUTPUT = Parameter("output", TEXT, "reports", "folder of the reports; preset=smoke: its own inside")


class ReproduceConfig(RunConfig):
    """Run all that a paper claims, compare, and write the report."""

    entry_point = "reproduce"

    @classmethod
    def declare(cls) -> tuple[Parameter, ...]:
        """Return the parameters of data and of every paper's plan."""
        sentences = "; ".join(f"{name}: {paper.sentence}" for name, paper in PAPERS.items())
        paper = Parameter("paper", one_of((ALL, *PAPERS)), ALL, sentences)
        return *data_parameters(), paper, SEEDS, *PAPERS.parameters, OUTPUT

    @property
    def papers(self) -> tuple[Paper, ...]:
        """The papers that are reproduced."""
        asked = self["paper"]
        return tuple(PAPERS.values()) if asked == ALL else (PAPERS[asked],)

    @property
    def first_images(self) -> tuple[First, ...]:
        """How many first test images the slow attacks of the papers see."""
        names = dict.fromkeys(name for paper in self.papers for name in paper.first_images)
        return tuple(First(name, "test", self[name]) for name in names)

    @property
    def seeds(self) -> range:
        """The seeds of every network's trainings."""
        return range(self.seed, self.seed + int(self["seeds"]))

    @property
    def judges(self) -> bool:
        """Whether verdicts mean anything; smoke sizes judge nothing."""
        return self.preset != "smoke"
