"""The variables of this process, read while other threads change them."""

from __future__ import annotations

import os


def variables() -> dict[str, str]:
    """Return every variable of this process and its value.

    `os.environ.items()` raises KeyError where a thread removes a variable meanwhile, as MLflow's
    telemetry does.
    """
    values = {name: os.environ.get(name) for name in list(os.environ)}
    return {name: value for name, value in values.items() if value is not None}
