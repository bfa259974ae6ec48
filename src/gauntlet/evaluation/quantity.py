"""What a quantity is: its denominator, its unit, its formula, and its noise test.

What is replicated decides which test can tell a difference from noise:

    images    McNemar's test on the same images (Fisher's on different ones); of several seeds the
              paired t test over seeds
    seeds     the paired t test over seeds; one seed tests nothing
    nothing   no test
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from gauntlet.arrays import Flags
from gauntlet.evaluation import statistics
from gauntlet.evaluation.outcomes import Outcome
from gauntlet.evaluation.statistics import Interval, wilson


class Over(StrEnum):
    """What a quantity is a share of, or a mean over: its denominator."""

    ATTACKED = "all attacked images"
    CORRECT = "correctly classified images"
    SUCCESSES = "successful attacks"
    OF_CLASS = "attacked images of one class"
    OTHER_CLASSES = "attacked images of the other classes"
    TRAININGS = "trainings"
    DATA = "images of the data set"


class Unit(StrEnum):
    """In which unit a quantity is."""

    SHARE = "share, in [0, 1]"
    DIFFERENCE = "difference of shares, in [-1, 1]"
    L2 = "L2 norm, pixels in [0, 1]"
    CLASS = "class"
    OWN = "as logged"


class Replicated(StrEnum):
    """What a quantity was measured on repeatedly, so that its noise can be estimated."""

    IMAGES = "images"
    SEEDS = "seeds"
    NOTHING = "nothing"


UNDEFINED = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Quantity:
    """Something that is measured.

    Attributes:
        name: as claims and tables call it.
        meaning: what it is, in a few words.
        over: its denominator.
        unit: of its values.
        replicated: what its noise test rests on.
        metric: as runs log it; empty: under another name, or not at all.
    """

    name: str
    meaning: str
    over: Over
    unit: Unit
    replicated: Replicated
    metric: str = ""

    def __str__(self) -> str:
        return f"{self.meaning} (over {self.over}; {self.unit})"

    def over_seeds(self, each: Sequence[Interval]) -> Interval:
        """Return the mean of one measurement per seed; seeds where it is undefined do not count.

        One seed keeps its own interval. Several seeds have the t interval where images are
        replicated, and none otherwise.
        """
        known = [one for one in each if not math.isnan(one.value)]
        if len(known) < 2:
            return known[0] if known else UNDEFINED
        values = [one.value for one in known]
        if self.replicated is Replicated.IMAGES:
            return statistics.over_seeds(values)
        return UNDEFINED._replace(value=float(np.mean(values)))


@dataclass(frozen=True, kw_only=True)
class Share(Quantity):
    """A share of the attacked images: each image counts or does not.

    Attributes:
        hits: which images count, `(n,)`.
    """

    hits: Callable[[Outcome], Flags]

    def measure(self, outcome: Outcome) -> Interval:
        """Return the share with its Wilson interval."""
        return wilson(self.hits(outcome))


@dataclass(frozen=True, kw_only=True)
class Computed(Quantity):
    """Any other number of an outcome.

    Attributes:
        compute: the number; NaN where it is undefined.
    """

    compute: Callable[[Outcome], float]

    def measure(self, outcome: Outcome) -> Interval:
        """Return the number; it has no interval."""
        return UNDEFINED._replace(value=self.compute(outcome))


class Sample(NamedTuple):
    """A quantity as it was measured.

    Attributes:
        quantity: what was measured.
        values: seed -> number.
        hits: of a share, seed -> which images count, `(n,)`; otherwise empty.
    """

    quantity: Quantity
    values: Mapping[int, float]
    hits: Mapping[int, Flags] = {}


def p_value(one: Sample, other: Sample) -> float | None:
    """Return the p-value of no difference; None: nothing can be tested.

    Two shares of images are tested over images or seeds, any other pair over seeds (see above).
    """
    replicated = {one.quantity.replicated, other.quantity.replicated}
    if Replicated.NOTHING in replicated:
        return None
    if statistics.shared_seeds(one.hits, other.hits):
        return statistics.paired(one.hits, other.hits)
    return statistics.over_pairs(one.values, other.values)
