"""The entry point `census`."""

from __future__ import annotations

import numpy as np

from gauntlet.pipeline.console import say
from gauntlet.pipeline.inputs import load_data
from gauntlet.pipeline.session import session
from gauntlet.tracking.runs import tracked_run
from gauntlet_examples.census_config import CensusConfig


def run(config: CensusConfig) -> None:
    """Count the images of each class, in a run of its own."""
    with session("census") as where:
        data = load_data(config)
        labels = data.y_train if config["split"] == "train" else data.y_test
        counts = np.bincount(labels, minlength=data.n_classes)
        tags = {"gauntlet.step": "census"}
        with tracked_run("censuses", data.name, config.as_json(), tags=tags, entry=True) as run:
            run.metrics((f"images/{c}", float(count)) for c, count in enumerate(counts))
        say(f"{len(labels)} images of {data.n_classes} classes; see them with: {where}")
