"""From an entry point's name to the step that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gauntlet.steps import attack, autoencoder, classifier, funn_tables

STEPS: Mapping[str, Callable[[Any], object]] = {
    "autoencoder": autoencoder.run,
    "classifier": classifier.run,
    "attack": attack.run,
    "main": attack.run,
    "funn_tables": funn_tables.run,
}
