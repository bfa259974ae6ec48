"""`python -m benchmarks [NAME ...]`: run the named benchmarks, or all; print one table."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from gauntlet.errors import unknown_name

NAMES = ("attacks", "honesty", "peers", "limits", "memory", "training", "studies", "tracking")


def main() -> int:
    """Return 0 if every ratio keeps its bound, if it has one; otherwise 1."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    names = sys.argv[1:] or NAMES
    if unknown := set(names) - set(NAMES):
        sys.exit(unknown_name("benchmark", min(unknown), NAMES))
    from gauntlet.training.runtime import configure_tensorflow

    configure_tensorflow()
    table = Table("ratio", "median", "rounds", "wanted", "reached", "seconds", title="Benchmarks")
    results = []
    for name in names:
        for result in import_module(f"benchmarks.{name}").run():
            results.append(result)
            rounds = " ".join(f"{ratio:.3f}" for ratio in result.ratios)
            seconds = " : ".join(f"{s:.2f}" for s in result.seconds)
            table.add_row(
                result.name, f"{result.median:.3f}", rounds, result.wanted, result.reached, seconds
            )
    Console(width=140).print(table)
    return int(any(result.reached == "NO" for result in results))


if __name__ == "__main__":
    sys.exit(main())
