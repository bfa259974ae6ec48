"""`python -m benchmarks`: measure everything and print one table."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.table import Table


def main() -> int:
    """Return 0 if every ratio that has a bound keeps it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks import attacks, limits, memory, peers, studies, tracking, training
    from gauntlet.runtime import configure_tensorflow

    configure_tensorflow()
    table = Table("ratio", "median", "rounds", "wanted", "reached", "seconds", title="Benchmarks")
    results = []
    for module in (attacks, peers, limits, memory, training, studies, tracking):
        for result in module.run():
            results.append(result)
            rounds = " ".join(f"{ratio:.3f}" for ratio in result.ratios)
            seconds = " : ".join(f"{s:.2f}" for s in result.seconds)
            table.add_row(result.name, f"{result.median:.3f}", rounds, result.wanted,
                          result.reached, seconds)  # fmt: skip
    Console(width=140).print(table)
    return int(any(result.reached == "NO" for result in results))


if __name__ == "__main__":
    sys.exit(main())
