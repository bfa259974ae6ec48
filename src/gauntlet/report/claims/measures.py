"""What a claim measures: numbers of cells, of trainings, of the data set."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gauntlet.catalogue.classifiers import Inputs
from gauntlet.evaluation.quantities import OF_IMAGES, TARGETS


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _known(name: str) -> str:
    if name not in (*OF_IMAGES, *TARGETS):
        raise ValueError(f"expected one of {', '.join((*OF_IMAGES, *TARGETS))}; received {name}")
    return name


QuantityName = Annotated[str, AfterValidator(_known)]
Several = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class Data(BaseModel):
    """A part of a claims file: frozen; names that the schema does not have are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CellMeasure(Data):
    """A quantity of attacked cells; several names in a field mean every combination.

    Attributes:
        network, part: of the paper's plan.
        attack, defence, threat_model: of the cell.
        epsilon: budget in [0, 1] (logistic regression's attacks: grey levels); None: the largest.
        quantity: its name, see `gauntlet.evaluation.quantities`.
        of_class: true class of the images, for `natural_target` and `non_natural_target`.
    """

    network: Several
    part: Several
    attack: Several
    defence: Several
    threat_model: Several
    epsilon: float | None = None
    quantity: QuantityName
    of_class: int | None = None

    @model_validator(mode="after")
    def _class_of_targets(self) -> CellMeasure:
        if (self.of_class is None) == (self.quantity in TARGETS):
            raise ValueError(f"expected of_class beside {' and '.join(TARGETS)} alone")
        return self

    def each(self) -> Iterator[CellMeasure]:
        """Yield one measure per combination."""
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
    """A metric of a training run at one epoch, or a parameter of its config.

    Attributes:
        network: of the paper's plan; several mean each.
        model: which of the network's models.
        part: of the plan; classifiers of different parts may differ.
        metric: as the run logs it.
        epoch: None: the last one.
        config: name of a parameter, instead of a metric.
        minus: name of another parameter, which is subtracted (`epochs` minus `init_epochs`).
    """

    network: Several
    model: Literal["autoencoder"] | Inputs
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
    """A number that depends on the data set alone."""

    data: str

    def each(self) -> Iterator[DataMeasure]:
        """Yield this measure."""
        yield self

    def __str__(self) -> str:
        return f"{self.data} of the data set"


Measure = CellMeasure | TrainingMeasure | DataMeasure
