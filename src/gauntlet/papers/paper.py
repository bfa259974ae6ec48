"""What every paper says of itself, and all papers: folders beside this file, and installed ones."""

from __future__ import annotations

import importlib.util
import pkgutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from gauntlet import papers
from gauntlet.catalogue.components import Catalogue, Component, module_of
from gauntlet.catalogue.parameters import Parameter, integer

FEW = Parameter("few", integer(1), 1000, "first test images for slow attacks")
AUTOATTACK_IMAGES = Parameter(
    "autoattack_images", integer(1), 1000, "first test images for autoattack"
)

CLAIMS = "claims.yaml"


@dataclass(frozen=True, kw_only=True, eq=False)
class Paper(Component):
    """A paper whose claims are checked.

    Its code is a function that takes a `ReproduceConfig` and yields the networks of its plan, see
    `gauntlet.papers.plan`. Beside that module lies `claims.yaml`, see `gauntlet.report.claims`.

    Attributes:
        report: module with `headline(results)` and `sections(evidence)`, see
            `gauntlet.papers.evidence`.
        data: `module:function` that takes the data set and returns numbers that it alone decides;
            empty: there are none.
        first_images: those of its parameters that say how many first test images are attacked.
    """

    report: str
    data: str = ""
    first_images: tuple[str, ...] = ()

    @property
    def claims(self) -> Path:
        """The file of its claims."""
        spec = importlib.util.find_spec(module_of(self.code))
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(self.code)
        return Path(spec.origin).with_name(CLAIMS)


def _beside() -> list[Paper]:
    """Return the papers of the folders beside this file; each says `PAPER` in its `__init__`."""
    folders = (found.name for found in pkgutil.iter_modules(papers.__path__) if found.ispkg)
    return [import_module(f"{papers.__name__}.{name}").PAPER for name in sorted(folders)]


PAPERS = Catalogue(Paper, "paper", _beside)
"""Looked for when they are first asked for, as each of them imports this module."""
