"""Write the pages and pictures of the manual that are made from code: `make docs` runs this.

They are committed, so that they can be read where nothing is built; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import component_pages
import name_pages
import parameter_page
import pictures

DOCS = Path(__file__).resolve().parent

GENERATED: Mapping[str, Callable[[], str]] = {
    "reference/parameters.md": parameter_page.text,
    "reference/attacks.md": component_pages.attacks,
    "reference/certificates.md": component_pages.certificates,
    "reference/defences.md": component_pages.defences,
    "reference/threat_models.md": component_pages.threat_models,
    "reference/networks.md": component_pages.networks,
    "reference/datasets.md": component_pages.datasets,
    "reference/metrics.md": name_pages.metrics,
    "reference/runs.md": name_pages.runs,
    "pictures/flow.svg": pictures.flow,
    "pictures/cell.svg": pictures.cell,
}
"""Each file below `docs/`, and the function that returns its whole text."""


def main() -> None:
    """Write every file anew."""
    for name, text in GENERATED.items():
        (DOCS / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
