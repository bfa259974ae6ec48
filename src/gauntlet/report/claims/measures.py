"""What a claim asks for: numbers of cells, of trainings, of the data set."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


Several = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class Data(BaseModel):
    """Something that a claims file says: frozen, and no name that the schema does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CellMeasure(Data):
    """A quantity of attacked cells; several names in a field mean every combination.

    Attributes:
        network, part: of the paper's plan.
        attack, defence, threat_model: of the cell.
        epsilon: budget in [0, 1] (logistic regression's attacks: grey levels); None: the largest.
        quantity: see `gauntlet.report.claims.results`.
        of_class: for `natural_target` and `non_natural_target`.
    """

    network: Several
    part: Several
    attack: Several
    defence: Several
    threat_model: Several
    epsilon: float | None = None
    quantity: Literal[
        "clean_accuracy",
        "robust_accuracy",
        "drop",
        "success_rate",
        "noise_level",
        "unchanged",
        "concentration",
        "natural_target",
        "non_natural_target",
    ]
    of_class: int | None = None

    def each(self) -> Iterator[CellMeasure]:
        """Yield one measure a combination."""
        fields = ("network", "part", "attack", "defence", "threat_model")
        for names in product(*(getattr(self, field) for field in fields)):
            one = {field: (name,) for field, name in zip(fields, names, strict=True)}
            yield self.model_copy(update=one)

    def __str__(self) -> str:
        names = self.network, self.part, self.attack, self.defence, self.threat_model
        where = ", ".join(",".join(several) for several in names)
        at = "" if self.epsilon is None else f", epsilon {self.epsilon:g}"
        digit = "" if self.of_class is None else f" of {self.of_class}"
        return f"{self.quantity}{digit} ({where}{at})"


class TrainingMeasure(Data):
    """A metric of a training run, at an epoch or its last; or a value of its config.

    Attributes:
        network: of the paper's plan; several mean each.
        model: which of the network's models.
        part: of a classifier, whose parts may have different ones.
        metric: as the run logs it.
        epoch: None: the last one.
        config: name of a parameter, instead of a metric.
        minus: name of another one, to be subtracted: `epochs` minus `init_epochs` is what is left.
    """

    network: Several
    model: Literal["autoencoder", "raw", "encoded", "features"]
    part: str = ""
    metric: str | None = None
    epoch: int | None = Field(None, ge=0)
    config: str | None = None
    minus: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> TrainingMeasure:
        if (self.metric is None) == (self.config is None):
            raise ValueError("expected either metric or config")
        if self.minus is not None and self.config is None:
            raise ValueError("expected minus beside config alone")
        return self

    def each(self) -> Iterator[TrainingMeasure]:
        """Yield one measure per network."""
        for name in self.network:
            yield self.model_copy(update={"network": (name,)})

    def __str__(self) -> str:
        at = "" if self.epoch is None else f" after epoch {self.epoch}"
        less = "" if self.minus is None else f" - {self.minus}"
        what = self.metric or f"parameter {self.config}{less}"
        return f"{what}{at} ({', '.join(self.network)}, {self.model})"


class DataMeasure(Data):
    """A number that the data set alone decides."""

    data: str

    def each(self) -> Iterator[DataMeasure]:
        """Yield this measure."""
        yield self

    def __str__(self) -> str:
        return f"{self.data} of the data set"


Measure = CellMeasure | TrainingMeasure | DataMeasure
