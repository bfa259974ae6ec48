"""Config of hyperparameter studies: what is searched, by which rule, and what a trial is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from gauntlet.config.attack import AttackConfig, Epsilons
from gauntlet.config.base import Names, check_names, to_string
from gauntlet.config.models import AutoencoderConfig
from gauntlet.config.objectives import LOSS, OBJECTIVES, RECONSTRUCTION, Objective
from gauntlet.config.published import unread_by
from gauntlet.config.searched import check_given
from gauntlet.config.spaces import POINTS, SPACES, Choice, Dimension, Space, described, narrowed
from gauntlet.config.storage import STORAGE, Storage
from gauntlet.config.tables import ATTACKS, DEFENCES, MADE_OF, READ_BY
from gauntlet.seeding import child_seed

StudyKind = Literal["autoencoder", "activations", "funn", "defence", "attack"]

TRIALS = 60
"""Of a study that draws, where nothing else is asked for."""

VALIDATION_SIZES = {"paper": 10_000, "smoke": 200}

OWN_DEFAULTS = ("validation_size", "defence", "attacks", "epsilons", "threat_models")
"""Parameters whose default in a study is not that of the ordinary entry points."""

FIXED: Mapping[str, Mapping[str, Any]] = {"funn": {"autoencoder": "funn", "defence": ("features",)}}
"""What a study is about, whatever the defaults say."""


class TuneConfig(AttackConfig):
    """Search hyperparameters: a study whose trials are runs, judged by validation images alone."""

    more_help: ClassVar[str] = (
        f"\nWhat each study searches, unless --space says less:\n{described(SPACES)}\n"
    )

    study: StudyKind = Field(
        "autoencoder",
        description="autoencoder: one kind; activations: the first paper's comparison, all of it; "
        "funn: both players; defence: kind, loss, defence; attack: the strongest on one defence",
    )
    study_name: str = Field(
        "auto", min_length=1, description="same name, same study: it goes on; auto: from parameters"
    )
    storage: Storage = Field(
        "auto",
        validate_default=True,
        repr=False,
        description=f"postgresql+psycopg://...; auto: {STORAGE}, else SQLite beside the runs",
    )
    trials: Annotated[int, Field(ge=1, le=100_000)] | Literal["auto"] = Field(
        "auto", description=f"finished trials in the study, however many start; auto: {TRIALS}"
    )
    workers: int = Field(1, ge=1, le=256, description="processes on this machine")
    sampler: Literal["tpe", "random", "nsga2"] = Field(
        "tpe", description="how the next trial is drawn"
    )
    pruner: Literal["none", "median", "hyperband"] = Field(
        "none", description="objective=loss: end trials whose val/loss falls behind"
    )
    objective: Literal["auto", "loss", "reconstruction", "robust_accuracy"] = Field(
        "auto",
        description="autoencoder: training loss, error per pixel at the best scale (comparable "
        "between losses), or robust accuracy behind `defence`; auto: loss",
    )
    space: str = Field(
        "",
        description="narrower dimensions, blanks between: study=funn, 'gamma=2..20 beta=0.01|0.02 "
        "epochs=30'",
    )
    clean_floor: float = Field(
        0.95, ge=0, lt=1, description="funn: least clean accuracy of a feasible trial"
    )
    attack_images: int = Field(
        1000, ge=1, description="first validation (at the end: test) images that are attacked"
    )

    defence: Annotated[Names, AfterValidator(check_names("defence", DEFENCES))] = Field(
        ("reformer",), max_length=1, description=f"one of {', '.join(DEFENCES)}"
    )
    attacks: Annotated[Names, AfterValidator(check_names("attack", ATTACKS))] = Field(
        ("apgd_ce", "apgd_dlr"), description="robust accuracy is what all of them leave"
    )
    epsilons: Epsilons = Field((0.1,), max_length=1, description="the Linf budget")
    threat_models: Annotated[Names, AfterValidator(check_names("threat model", ("white_box",)))] = (
        Field(("white_box",), description="white_box: nothing else measures a defence")
    )

    @classmethod
    def fixed_values(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a study is about, whatever the defaults say.

        Raises:
            ValueError: something else was given.
        """
        fixed = FIXED.get(values.get("study", ""), {})
        for name, value in fixed.items():
            default = cls.model_fields[name].default
            if to_string(values.get(name, default)) not in (to_string(default), to_string(value)):
                own = f"--{name}: study={values['study']} has its own"
                raise ValueError(f"{own}; received {values[name]}")
        return dict(fixed)

    @classmethod
    def preset_values(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the preset says: of the kind of autoencoder, and how much is held out."""
        held_out = VALIDATION_SIZES.get(values.get("preset", "paper"), 0)
        return {**super().preset_values(values), "validation_size": held_out}

    @model_validator(mode="after")
    def _study_is_possible(self) -> TuneConfig:
        for check in (self._check_objective, self._check_pruner, partial(check_given, self)):
            check()
        if self.points and self.space:
            raise ValueError(
                f"--space: study={self.study} tries all its points; received {self.space!r}"
            )
        if self.points and self.budget > len(self.points):
            points = f"study={self.study} has {len(self.points)} points"
            raise ValueError(f"--trials: {points}; received {self.trials}")
        if not self.validation_size:
            raise ValueError("--validation_size: expected at least 1 image to judge by; received 0")
        return self

    def _check_objective(self) -> None:
        allowed = dict.fromkeys(("auto", *OBJECTIVES[self.study]))
        if self.objective not in allowed:
            raise ValueError(
                f"--objective: study={self.study} allows {', '.join(allowed)}; received "
                f"{self.objective!r}"
            )
        trained = [name for name in DEFENCES if "autoencoder" in MADE_OF[name]]
        if (
            self.study == "autoencoder"
            and self.entry_point == "attack"
            and self.defence[0] not in trained
        ):
            raise ValueError(
                f"--defence: expected one that the searched autoencoder is part of, "
                f"{', '.join(trained)}; received {self.defence[0]!r}"
            )

    def _check_pruner(self) -> None:
        if self.pruner != "none" and self.objectives[0].name != LOSS:
            raise ValueError(
                "--pruner: expected none, but for one objective that every epoch tells "
                f"(objective=loss); received {self.pruner!r}"
            )

    @property
    def dimensions(self) -> Space:
        """What this study searches, as `space` has it.

        Raises:
            ValueError: `space` names another parameter, or no range.
        """
        whole = SPACES[self.study]
        searched = [name for name in whole if self._is_searched(name, whole)]
        try:
            space = narrowed(whole, self.space, searched)
        except ValueError as error:
            raise ValueError(f"--space: {error}") from None
        return {name: d for name, d in space.items() if self._is_searched(name, space)}

    def _is_searched(self, name: str, space: Space) -> bool:
        if name == "loss" and self.objectives[0].name == LOSS:
            return False  # losses of different kinds cannot be compared
        return "autoencoder" in space or name not in unread_by(self.autoencoder)

    def applying(self, drawn: Mapping[str, Any]) -> Iterator[tuple[str, Dimension]]:
        """Yield the dimensions that a trial reads; `drawn` fills while the caller draws."""
        for name, dimension in self.dimensions.items():
            if name in unread_by(drawn.get("autoencoder", self.autoencoder)):
                continue
            if "attacks" in drawn and name not in READ_BY[drawn["attacks"]]:
                continue
            yield name, dimension

    @property
    def points(self) -> tuple[Mapping[str, str], ...]:
        """All trials of a study that draws none; of others empty."""
        return POINTS.get(self.study, ())

    @property
    def budget(self) -> int:
        """Finished trials that the study shall have."""
        return (len(self.points) or TRIALS) if self.trials == "auto" else self.trials

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is wanted of a trial; the default is the study's first."""
        allowed = OBJECTIVES[self.study]
        return allowed.get(self.objective, next(iter(allowed.values())))

    @property
    def entry_point(self) -> Literal["autoencoder", "attack"]:
        """The ordinary entry point that a trial's parameters belong to."""
        reconstructs = self.objectives[0].name in (LOSS, RECONSTRUCTION)
        return "autoencoder" if reconstructs else "attack"

    @property
    def attacks_read(self) -> tuple[str, ...]:
        """The attacks of this study; those that are drawn are checked when they are."""
        drawn = self.dimensions.get("attacks")
        if isinstance(drawn, Choice):
            return tuple(name for name in drawn.values if name in READ_BY)
        return self.attacks if self.entry_point == "attack" else ()

    @property
    def name(self) -> str:
        """The study's name in its storage."""
        if self.study_name != "auto":
            return self.study_name
        what = {"autoencoder": self.autoencoder, "attack": self.defence[0]}.get(self.study, "")
        objective = "" if self.objective == "auto" else self.objective
        parts = self.study, what, self.dataset, objective, f"seed {self.seed}"
        return " ".join(part for part in parts if part)

    def trial_seed(self, number: int) -> int:
        """Return the seed of all that is random in a trial, its own parameters' draw too."""
        return child_seed(self.seed, "trial", str(number))

    def trial_config(
        self, drawn: Mapping[str, Any], number: int
    ) -> AutoencoderConfig | AttackConfig:
        """Return the config of a trial, as the ordinary entry point would have it.

        Raises:
            ValidationError: these values do not go together.
        """
        model = AutoencoderConfig if self.entry_point == "autoencoder" else AttackConfig
        own = self.model_dump(include=set(OWN_DEFAULTS) & set(model.model_fields))
        fields = self.given(model.model_fields) | own
        # All trials of an attack study attack the same networks.
        seed = self.seed if self.study == "attack" else self.trial_seed(number)
        return model(**fields | dict(drawn) | {"seed": seed})

    @property
    def definition(self) -> dict[str, Any]:
        """All that a study cannot change while it goes on."""
        free = {"trials", "workers", "storage", "study_name", "space", *self.dimensions}
        fixed = self.model_dump(mode="json", exclude=free)
        return fixed | {name: str(dimension) for name, dimension in self.dimensions.items()}
