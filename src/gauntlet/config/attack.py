"""Config of the attack entry point."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
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
from gauntlet.config.defence import DefenceConfig
from gauntlet.config.tables import (
    APPLIES,
    ATTACKS,
    BY_QUERIES,
    MINIMUM_NORM,
    READ_BY,
    STRONG,
    THREAT_MODELS,
    WHOLE_BOX,
    speaks_grey_levels,
)

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


def _strong(names: tuple[str, ...]) -> tuple[str, ...]:
    """Write out `strong`; an attack that is also named stands once."""
    if "strong" not in names:
        return names
    return tuple(
        dict.fromkeys(n for name in names for n in (STRONG if name == "strong" else (name,)))
    )


class AttackConfig(DefenceConfig):
    """Attack one defended classifier and write down what is left of it."""

    threat_models: Annotated[
        Names, AfterValidator(check_names("threat model", ("all", *THREAT_MODELS)))
    ] = Field(("all",), description=f"all that apply, or a list of {', '.join(THREAT_MODELS)}")
    attacks: Annotated[
        Names, AfterValidator(check_names("attack", ("strong", *ATTACKS))), AfterValidator(_strong)
    ] = Field(
        ("fgsm", "t_fgsm", "bim"),
        description=f"list of {', '.join(ATTACKS)}, or strong: {', '.join(STRONG)}",
    )
    epsilons: Epsilons = Field(
        (0.0, 0.05, 0.1, 0.15, 0.2, 0.3), description="Linf budgets in [0, 1], ascending"
    )
    relative_budget: bool = Field(
        False,
        description="threat model encoded: multiply budgets by mean output / mean image, so that "
        "they mean the same on outputs of any scale",
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
    pgd_loss: Literal["cross_entropy", "margin", "dlr"] = Field(
        "cross_entropy",
        description="what pgd ascends; margin and dlr do not saturate (dlr of "
        "two classes is the margin)",
    )
    decay: float = Field(1.0, ge=0, le=10, description="momentum decay of mim")
    apgd_steps: int = Field(100, ge=2, le=100_000, description="iterations of apgd_ce and apgd_dlr")
    apgd_restarts: int = Field(1, ge=1, le=10_000, description="random starts of apgd_")
    square_queries: int = Field(5000, ge=1, le=1_000_000, description="queries of square")
    spsa_steps: int = Field(100, ge=1, le=100_000, description="iterations of spsa")
    spsa_samples: int = Field(128, ge=1, le=100_000, description="pairs of queries a step of spsa")
    deepfool_variant: Literal["paper", "foolbox1", "foolbox3"] = Field(
        "foolbox1",
        description="paper: as published; foolbox1: as the second paper ran it; foolbox3",
    )
    deepfool_steps: int = Field(50, ge=1, le=100_000, description="iterations of deepfool_")
    cw_steps: int = Field(1000, ge=1, le=1_000_000, description="Adam steps a search of cw_l2")
    cw_searches: int = Field(5, ge=1, le=100, description="binary searches of cw_l2's constant")
    cw_rate: float = Field(0.01, gt=0, le=10, description="Adam's learning rate in cw_l2")
    cw_confidence: float = Field(0.0, ge=0, le=1e6, description="logit margin that cw_l2 asks for")
    max_pixels: int = Field(1000, ge=1, le=1_000_000, description="pixels that single_pixel tries")
    local_search_rounds: int = Field(150, ge=1, le=100_000, description="rounds of local_search")
    local_search_selection: Literal["lowest", "highest"] = Field(
        "highest",
        description="scores that local_search follows; lowest: as the second paper ran it",
    )
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

    @model_validator(mode="after")
    def _known_classes(self) -> AttackConfig:
        for name in self.targets_read if self.dataset in PLAIN_DATASETS else ():
            if (target := getattr(self, name)) >= PLAIN_CLASSES:
                raise ValueError(
                    f"--{name}: expected a class from 0 to {PLAIN_CLASSES - 1}; received {target}"
                )
        return self

    @model_validator(mode="after")
    def _reaches_the_budget(self) -> AttackConfig:
        stepping = any("rel_step" in READ_BY[attack] for attack in self.attacks_read)
        if stepping and self.steps * self.rel_step < 1:
            raise ValueError(
                f"steps={self.steps} of rel_step={self.rel_step:g} never reach epsilon: expected "
                "steps * rel_step of at least 1"
            )
        return self

    @model_validator(mode="after")
    def _every_attack_applies(self) -> AttackConfig:
        for name in self.threat_models:
            if name != "all" and not self.attacks_under(name):
                raise ValueError(
                    f"threat_models={name} allows {', '.join(BY_QUERIES)}; "
                    f"received attacks={','.join(self.attacks)}"
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

    @property
    def attacks_read(self) -> tuple[str, ...]:
        """The attacks of this run; what only others read is not checked."""
        return self.attacks

    @property
    def targets_read(self) -> list[str]:
        """The parameters of this run that name a class."""
        read = {name for attack in self.attacks_read for name in READ_BY[attack]}
        return [name for name in ("target", "lr_target") if name in read]

    @property
    def dlr_attacks(self) -> list[str]:
        """The attacks of this run that ascend the difference of logits ratio."""
        follows = {"apgd_dlr": True, "pgd": self.pgd_loss == "dlr"}
        return [attack for attack in self.attacks_read if follows.get(attack)]

    def budgets(self, attack: str) -> tuple[float, ...]:
        """Return an attack's Linf budgets in [0, 1], ascending.

        The lr_ attacks speak grey levels 0..255; minimum-norm attacks are also shown without limit.
        """
        if speaks_grey_levels(attack):
            return tuple(grey / GREY for grey in self.grey_epsilons)
        if attack in MINIMUM_NORM and self.epsilons[-1] != WHOLE_BOX:
            return (*self.epsilons, WHOLE_BOX)
        return self.epsilons

    def attack_settings(self, attack: str) -> dict[str, Any]:
        """Return the parameters that this attack reads, and its name."""
        return {"attack": attack, **self.model_dump(mode="json", include=set(READ_BY[attack]))}

    def budget_settings(self, threat_model: str) -> dict[str, Any]:
        """Return what a threat model makes of the budgets; nothing where they stay as they are."""
        relative = self.relative_budget and threat_model == "encoded"
        return {"relative_budget": True} if relative else {}

    def one_target(self, attack: str) -> int | None:
        """Return the class that an attack aims every image at, if it does."""
        return {"t_fgsm": self.target, "lr_one_target": self.lr_target}.get(attack)

    def _wanted(self) -> set[str]:
        return set(THREAT_MODELS) if "all" in self.threat_models else set(self.threat_models)

    def combinations(self) -> list[tuple[str, str]]:
        """Return the (defence, threat model) pairs to run, in the order of the tables."""
        wanted = self._wanted()
        return [
            (d, t)
            for d in self.defence
            for t in APPLIES[d]
            if t in wanted and self.attacks_under(t)
        ]

    def attacks_under(self, threat_model: str) -> tuple[str, ...]:
        """Return the attacks of this run that a threat model allows."""
        return tuple(a for a in self.attacks if threat_model != "black_box" or a in BY_QUERIES)

    def skipped(self) -> list[tuple[str, str]]:
        """Return the (defence, threat model) pairs that were named but make no sense together."""
        named = [t for t in self.threat_models if t != "all"]
        return [(d, t) for d in self.defence for t in named if t not in APPLIES[d]]

    def idle_attacks(self) -> list[str]:
        """Return the attacks that were named but that no threat model of this run allows."""
        used = {
            a for _, threat_model in self.combinations() for a in self.attacks_under(threat_model)
        }
        return [attack for attack in self.attacks if attack not in used]
