"""Config of hyperparameter studies: what is searched, by which rule, and what a trial is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from gauntlet.catalogue.attacks import ATTACKS, Attack
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.catalogue.parameters import AUTO, Json, Parameter, Value, Values, to_string
from gauntlet.config.attack import AttackConfig
from gauntlet.config.data import First
from gauntlet.config.networks import NetworksConfig
from gauntlet.config.training import AutoencoderConfig
from gauntlet.seeding import child_seed
from tuning.objectives import LOSS, OBJECTIVES, RECONSTRUCTION, Objective
from tuning.parameters import STUDY, TRIALS, of_attacks
from tuning.searched import Searched, check_given, read_by_attack, read_by_kind
from tuning.spaces import POINTS, SPACES, Choice, Dimension, Space, described, narrowed

VALIDATION_SIZES = {"paper": 10_000, "smoke": 200}

OWN_DEFAULTS = ("validation_size", *(parameter.name for parameter in of_attacks()))
"""Parameters whose default in a study is not that of the ordinary entry points."""

FIXED: Mapping[str, Values] = {"funn": {"autoencoder": "funn", "defence": ("features",)}}
"""Parameters that a study fixes."""

EXPERIMENT = ENTRY_POINTS["tune"].experiment


class TuneConfig(AttackConfig):
    """Search hyperparameters: a study whose trials are runs, judged by validation images alone."""

    entry_point = "tune"
    more_help: ClassVar[str] = (
        f"\nWhat each study searches, unless --space says less:\n{described(SPACES)}\n"
    )

    @classmethod
    def declare(cls) -> tuple[Parameter, ...]:
        """Return the parameters of attacks, as a study has them, and those of studies."""
        own = {parameter.name: parameter for parameter in of_attacks()}
        shared = (own.get(parameter.name, parameter) for parameter in super().declare())
        return *shared, *STUDY

    @classmethod
    def fixed_values(cls, values: Values) -> dict[str, Value]:
        """Return what a study is about, whatever the defaults say.

        Raises:
            ValueError: something else was given.
        """
        fixed = FIXED.get(values.get("study", ""), {})
        for name, value in fixed.items():
            default = cls.parameters()[name].default
            if to_string(values.get(name, default)) not in (to_string(default), to_string(value)):
                own = f"--{name}: study={values['study']} has its own"
                raise ValueError(f"{own}; received {values[name]}")
        return dict(fixed)

    @classmethod
    def preset_values(cls, values: Values) -> Values:
        """Return what the preset says: of the kind of autoencoder, and how much is held out."""
        held_out = VALIDATION_SIZES.get(values.get("preset", "paper"), 0)
        return {**super().preset_values(values), "validation_size": held_out}

    def check(self) -> None:
        """Check that the study is possible, and that some trial reads what was given."""
        super().check()
        self._check_objective()
        self._check_defence()
        self._check_pruner()
        searched = Searched(self.study, self.dimensions, bool(self.points), self.attacks_networks)
        check_given(self, searched)
        if self.points and self["space"]:
            raise ValueError(
                f"--space: study={self.study} tries all its points; received {self['space']!r}"
            )
        if self.points and self.budget > len(self.points):
            points = f"study={self.study} has {len(self.points)} points"
            raise ValueError(f"--trials: {points}; received {self['trials']}")
        if not self.held_out_size:
            raise ValueError("--validation_size: expected at least 1 image to judge by; received 0")

    @property
    def study(self) -> str:
        """Which study."""
        return str(self["study"])

    @property
    def held_out_size(self) -> int:
        """How many of the last training images judge."""
        return int(self["validation_size"])

    @property
    def first_images(self) -> tuple[First, ...]:
        """How many held-out and test images are attacked."""
        size = self["attack_images"]
        attacked = First("attack_images", "held-out", size), First("attack_images", "test", size)
        return attacked if self.attacks_read else ()

    def _check_objective(self) -> None:
        allowed = dict.fromkeys(("auto", *OBJECTIVES[self.study]))
        if self["objective"] not in allowed:
            raise ValueError(
                f"--objective: study={self.study} allows {', '.join(allowed)}; received "
                f"{self['objective']!r}"
            )

    def _check_defence(self) -> None:
        """Check that the network which a trial trains is part of what it attacks."""
        trained = [name for name, defence in DEFENCES.items() if defence.has_run_autoencoder]
        drawn = self.dimensions.get("defence")
        flag, names = "space", drawn.values if isinstance(drawn, Choice) else ()
        if drawn is None and self.study != "attack" and self.attacks_networks:
            flag, names = "defence", self["defence"]
        if others := [name for name in names if name not in trained]:
            raise ValueError(
                f"--{flag}: expected a defence that the searched autoencoder is part of, "
                f"{', '.join(trained)}; received {others[0]!r}"
            )

    def _check_pruner(self) -> None:
        if self["pruner"] != "none" and self.objectives[0].name != LOSS:
            raise ValueError(
                "--pruner: expected none, but for one objective that every epoch tells "
                f"(objective=loss); received {self['pruner']!r}"
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
            space = narrowed(whole, self["space"], searched)
        except ValueError as error:
            raise ValueError(f"--space: {error}") from None
        return {name: d for name, d in space.items() if self._is_searched(name, space)}

    def _is_searched(self, name: str, space: Space) -> bool:
        if name == "loss" and self.objectives[0].name == LOSS:
            return False  # losses of different kinds cannot be compared
        return "autoencoder" in space or read_by_kind(name, self["autoencoder"])

    def applying(self, drawn: Values) -> Iterator[tuple[str, Dimension]]:
        """Yield the dimensions that a trial reads; `drawn` fills while the caller draws."""
        for name, dimension in self.dimensions.items():
            if not read_by_kind(name, drawn.get("autoencoder", self["autoencoder"])):
                continue
            if "attacks" in drawn and not read_by_attack(name, drawn["attacks"]):
                continue
            yield name, dimension

    @property
    def points(self) -> tuple[Mapping[str, str], ...]:
        """All trials of a study that draws none; of others empty."""
        return POINTS.get(self.study, ())

    @property
    def budget(self) -> int:
        """Finished trials that the study shall have."""
        wanted = self["trials"]
        return (len(self.points) or TRIALS) if wanted == AUTO else int(wanted)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is wanted of a trial; the default is the study's first."""
        allowed = OBJECTIVES[self.study]
        return allowed.get(self["objective"], next(iter(allowed.values())))

    @property
    def trial_class(self) -> type[AutoencoderConfig] | type[AttackConfig]:
        """The class of a trial's config: that of the entry point which does the same alone."""
        reconstructs = self.objectives[0].name in (LOSS, RECONSTRUCTION)
        return AutoencoderConfig if reconstructs else AttackConfig

    @property
    def attacks_networks(self) -> bool:
        """Whether a trial attacks what it trains."""
        return self.trial_class is AttackConfig

    @property
    def attacks_read(self) -> tuple[Attack, ...]:
        """The attacks of this study; those that are drawn are checked when they are."""
        drawn = self.dimensions.get("attacks")
        if isinstance(drawn, Choice):
            return tuple(ATTACKS[name] for name in drawn.values if name in ATTACKS)
        return self.attacks if self.attacks_networks else ()

    @property
    def name(self) -> str:
        """The study's name in its storage."""
        if self["study_name"] != AUTO:
            return str(self["study_name"])
        own = {"autoencoder": self["autoencoder"], "attack": self["defence"][0]}
        objective = "" if self["objective"] == AUTO else self["objective"]
        what = own.get(self.study, "")
        parts = self.study, what, self["dataset"], objective, f"seed {self.seed}"
        return " ".join(part for part in parts if part)

    def trial_seed(self, number: int) -> int:
        """Return the seed of all that is random in a trial, its own parameters' draw too."""
        return child_seed(self.seed, "trial", str(number))

    def trial_config(self, drawn: Values, number: int) -> NetworksConfig:
        """Return the config of a trial, as the ordinary entry point would have it.

        Raises:
            UsageError: these values do not go together.
        """
        model = self.trial_class
        known = model.parameters()
        own = {name: self[name] for name in OWN_DEFAULTS if name in known}
        # All trials of an attack study attack the same networks.
        seed = self.seed if self.study == "attack" else self.trial_seed(number)
        return model(**{**self.given_among(known), **own, **drawn, "seed": seed})

    @property
    def definition(self) -> Json:
        """All that a study cannot change while it goes on."""
        free = {"trials", "workers", "storage", "study_name", "space", *self.dimensions}
        fixed = self.as_json(name for name in self.values if name not in free)
        return fixed | {name: str(dimension) for name, dimension in self.dimensions.items()}
