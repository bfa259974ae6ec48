"""Config of the attack entry point."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gauntlet.config.base import (
    GREY,
    PLAIN_CLASSES,
    PLAIN_DATASETS,
    CommaSeparated,
    Names,
    check_names,
    grey_levels,
    unit_interval,
)
from gauntlet.config.models import AutoencoderConfig, ClassifierConfig, ClassifierKind
from gauntlet.seeding import child_seed

_LR = ("grey_epsilons", "lr_variant", "lr_clip")

READ_BY: dict[str, tuple[str, ...]] = {
    "fgsm": ("epsilons",),
    "t_fgsm": ("epsilons", "target"),
    "bim": ("epsilons", "steps", "rel_step"),
    "pgd": ("epsilons", "steps", "rel_step", "restarts"),
    "mim": ("epsilons", "steps", "rel_step", "decay"),
    "noise": ("epsilons",),
    "lr_non_targeted": _LR,
    "lr_natural": (*_LR, "lr_targets_at"),
    "lr_non_natural": (*_LR, "lr_targets_at"),
    "lr_one_target": (*_LR, "lr_target"),
}
"""Every attack, and the parameters that it reads: another value of one means another result."""

ATTACKS = tuple(READ_BY)
DEFENCES = ("none", "encoded", "reformer")
THREAT_MODELS = ("white_box", "gray_box", "transfer", "encoded")

APPLIES: dict[str, tuple[str, ...]] = {
    # Without an autoencoder there is nothing to leave out (gray_box) and no output to perturb.
    "none": ("white_box", "transfer"),
    "encoded": THREAT_MODELS,
    "reformer": THREAT_MODELS,
}
"""The threat models that make sense for each defence."""

Epsilons = Annotated[
    tuple[float, ...], CommaSeparated, Field(min_length=1), AfterValidator(unit_interval)
]
GreyLevels = Annotated[
    tuple[float, ...], CommaSeparated, Field(min_length=1), AfterValidator(grey_levels)
]


AUTO: Any = "auto"


def _madry_step(value: object, info: ValidationInfo) -> object:
    """Let `auto` cross the ball two and a half times (Madry et al. 2018, appendix)."""
    return min(1.0, 2.5 / info.data["steps"]) if value == AUTO and "steps" in info.data else value


class AttackConfig(AutoencoderConfig):
    """Attack one defended classifier and write down what is left of it."""

    classifier: ClassifierKind = Field("dense", description="kind of classifier")
    defence: Annotated[Names, AfterValidator(check_names("defence", DEFENCES))] = Field(
        DEFENCES, description=f"list of {', '.join(DEFENCES)}"
    )
    threat_models: Annotated[
        Names, AfterValidator(check_names("threat model", ("all", *THREAT_MODELS)))
    ] = Field(("all",), description=f"all that apply, or a list of {', '.join(THREAT_MODELS)}")
    attacks: Annotated[Names, AfterValidator(check_names("attack", ATTACKS))] = Field(
        ("fgsm", "t_fgsm", "bim"), description=f"list of {', '.join(ATTACKS)}"
    )
    epsilons: Epsilons = Field(
        (0.0, 0.05, 0.1, 0.15, 0.2, 0.3), description="Linf budgets in [0, 1], ascending"
    )
    target: int = Field(5, ge=0, description="class that t_fgsm aims at (first paper, 5.2.2)")
    steps: int = Field(20, ge=1, le=100_000, description="iterations of bim, pgd and mim")
    rel_step: Annotated[float, BeforeValidator(_madry_step)] = Field(
        AUTO,
        gt=0,
        le=1,
        validate_default=True,
        description="step size of bim, pgd and mim as a share of epsilon; auto: 2.5 / steps",
    )
    restarts: int = Field(5, ge=1, le=10_000, description="random starts of pgd")
    decay: float = Field(1.0, ge=0, le=10, description="momentum decay of mim")
    grey_epsilons: GreyLevels = Field(
        (0.0, 8.0, 16.0, 29.0, 50.0),
        description="budgets of the lr_ attacks in grey levels 0..255, ascending",
    )
    lr_variant: Literal["gradient", "sign"] = Field(
        "gradient", description="lr_ attacks: gradient over its maximum, or its sign"
    )
    lr_target: int = Field(7, ge=0, description="class that lr_one_target aims at")
    lr_targets_at: float = Field(
        16.0, gt=0, le=255, description="grey level at which natural targets are found"
    )
    lr_clip: bool = Field(False, description="clip the lr_ attacks to the box; published: no")

    @field_validator("target", "lr_target")
    @classmethod
    def _known_class(cls, target: int, info: ValidationInfo) -> int:
        if info.data.get("dataset") in PLAIN_DATASETS and target >= PLAIN_CLASSES:
            raise ValueError(f"expected a class from 0 to {PLAIN_CLASSES - 1}")
        return target

    @model_validator(mode="after")
    def _reaches_the_budget(self) -> AttackConfig:
        if self.steps * self.rel_step < 1:
            raise ValueError(
                f"steps={self.steps} of rel_step={self.rel_step:g} never reach epsilon: expected "
                "steps * rel_step of at least 1"
            )
        return self

    @model_validator(mode="after")
    def _every_name_applies(self) -> AttackConfig:
        wanted = self._wanted()
        for defence in self.defence:
            if not wanted & set(APPLIES[defence]):
                raise ValueError(
                    f"threat_models={','.join(self.threat_models)} makes no sense for "
                    f"defence={defence}, which allows {', '.join(APPLIES[defence])}"
                )
        for name in sorted(wanted):
            if "all" not in self.threat_models and not any(
                name in APPLIES[d] for d in self.defence
            ):
                raise ValueError(
                    f"threat_models={name} makes no sense for defence={','.join(self.defence)}"
                )
        return self

    def budgets(self, attack: str) -> tuple[float, ...]:
        """Return an attack's budgets in [0, 1]; the lr_ attacks speak grey levels 0..255."""
        if speaks_grey_levels(attack):
            return tuple(grey / GREY for grey in self.grey_epsilons)
        return self.epsilons

    def attack_settings(self, attack: str) -> dict[str, Any]:
        """Return the parameters that this attack reads, and its name."""
        return {"attack": attack, **self.model_dump(mode="json", include=set(READ_BY[attack]))}

    def one_target(self, attack: str) -> int | None:
        """Return the class that an attack aims every image at, if it does."""
        return {"t_fgsm": self.target, "lr_one_target": self.lr_target}.get(attack)

    def _wanted(self) -> set[str]:
        return set(THREAT_MODELS) if "all" in self.threat_models else set(self.threat_models)

    def combinations(self) -> list[tuple[str, str]]:
        """Return the (defence, threat model) pairs to run, in the order of the tables."""
        wanted = self._wanted()
        return [(d, t) for d in self.defence for t in APPLIES[d] if t in wanted]

    def skipped(self) -> list[tuple[str, str]]:
        """Return the (defence, threat model) pairs that were named but make no sense together."""
        named = [t for t in self.threat_models if t != "all"]
        return [(d, t) for d in self.defence for t in named if t not in APPLIES[d]]

    def classifier_config(
        self, train_on: Literal["raw", "encoded"], *names: str
    ) -> ClassifierConfig:
        """Return the config of a classifier of this attack run.

        Args:
            train_on: `raw` or `encoded`.
            names: path of a child seed; none for the run's own seed.
        """
        own = {"classifier": self.classifier, "train_on": train_on, "seed": self.seed}
        if names:
            own["seed"] = child_seed(self.seed, *names)
        return ClassifierConfig(**{**self._training_fields(), **own})

    def autoencoder_config(self) -> AutoencoderConfig:
        """Return the config of the autoencoder of this attack run."""
        return AutoencoderConfig(**self._training_fields())

    def _training_fields(self) -> dict[str, Any]:
        return self.model_dump(include=set(AutoencoderConfig.model_fields))


def speaks_grey_levels(attack: str) -> bool:
    """Tell whether an attack is the first paper's, which keeps neither its budget nor the box."""
    return "grey_epsilons" in READ_BY[attack]
