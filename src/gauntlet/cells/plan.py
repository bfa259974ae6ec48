"""Which cells and certifications a config asks for, and all that decides the result of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gauntlet.catalogue.attacks import Attack, epsilons_of
from gauntlet.catalogue.certificates import Certificate, budgets_of
from gauntlet.catalogue.components import Chosen
from gauntlet.catalogue.defences import Defence
from gauntlet.catalogue.parameters import Json
from gauntlet.catalogue.threat_models import ThreatModel
from gauntlet.config.attack import AttackConfig

SURROGATE = "surrogate"
"""The undefended network that the attacker of threat model `transfer` trained."""


@dataclass(frozen=True)
class Cell:
    """One attack on one defence under one threat model.

    Attributes:
        attack: with its parameters.
        defence: with its parameters.
        threat_model: who knows what.
        seed: root of the attack's and the judge's random numbers.
        calibration_size: held-out training images that the defence needs: the last ones.
        relative_budget: budgets are multiplied by mean output / mean image where an autoencoder's
            output is perturbed.
    """

    attack: Chosen[Attack]
    defence: Chosen[Defence]
    threat_model: ThreatModel
    seed: int
    calibration_size: int = 0
    relative_budget: bool = False

    step: ClassVar[str] = "cell"

    def __hash__(self) -> int:
        return hash((self.attack.name, self.defence.name, self.threat_model.name, self.seed))

    @property
    def name(self) -> str:
        """As the UI shows it."""
        return (
            f"{self.attack.name}, defence {self.defence.name}, "
            f"threat model {self.threat_model.name}"
        )

    @property
    def subject(self) -> str:
        """As lines about the cache call it."""
        return f"{self.attack.name} on {self.defence.name} {self.threat_model.name}"

    @property
    def epsilons(self) -> tuple[float, ...]:
        """The budgets in [0, 1], ascending."""
        return epsilons_of(self.attack)

    @property
    def parts(self) -> tuple[str, ...]:
        """The networks that its result depends on, by their part."""
        surrogate = (SURROGATE,) if self.threat_model.gradient_of == "surrogate" else ()
        return (*self.defence.entry.parts(self.defence.values), *surrogate)

    @property
    def settings(self) -> Json:
        """What decides its result beside networks, images and code, as JSON."""
        relative = self.relative_budget and not self.threat_model.on_images
        return {
            **self.attack.settings,
            **self.defence.settings,
            **self.threat_model.settings,
            "epsilons": list(self.epsilons),
            "attack": self.attack.name,
            "defence": self.defence.name,
            # With its name: white_box and black_box differ in what they grant alone.
            "threat_model": self.threat_model.name,
            "keeps_budget": self.attack.entry.keeps_budget,
            "norm": self.attack.entry.norm,
            "stand_in": self.defence.entry.stand_in,
            "calibration_size": self.calibration_size,
            "relative_budget": relative,
            "seed": self.seed,
        }

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules whose source, with what they import, computes it."""
        parts = (self.attack.entry, self.defence.entry, self.threat_model)
        own = (module for part in parts for module in part.modules)
        return ("gauntlet.cells.assemble", "gauntlet.cells.measure", *own)

    @property
    def view(self) -> tuple[str, ...]:
        """What the attacker sees: cells of one view have the same adversarial images.

        Without the autoencoder in the attacker's view, a classifier that learned from images is the
        undefended one. A threat model that grants less gives the same images.
        """
        model = self.threat_model
        what, of = (self.attack.name, model.perturbs), model.gradient_of
        if model.on_images and of == "surrogate":
            return (*what, SURROGATE)
        if model.on_images and of == "classifier" and self.defence.entry.inputs == "raw":
            return (*what, "none", "defended")
        return (*what, self.defence.name, of)


@dataclass(frozen=True)
class Certification:
    """One certificate on one defence.

    Attributes:
        certificate: with its parameters.
        defence: with its parameters.
        seed: root of the certificate's random numbers, and of the judge's.
        calibration_size: as of a cell.
    """

    certificate: Chosen[Certificate]
    defence: Chosen[Defence]
    seed: int
    calibration_size: int = 0

    step: ClassVar[str] = "certification"

    @property
    def name(self) -> str:
        """As the UI shows it."""
        return f"certificate {self.certificate.name}, defence {self.defence.name}"

    @property
    def subject(self) -> str:
        """As lines about the cache call it."""
        return f"{self.certificate.name} on {self.defence.name}"

    @property
    def epsilons(self) -> tuple[float, ...]:
        """The budgets in [0, 1], ascending."""
        return budgets_of(self.certificate)

    @property
    def parts(self) -> tuple[str, ...]:
        """The networks that its result depends on, by their part."""
        return self.defence.entry.parts(self.defence.values)

    @property
    def settings(self) -> Json:
        """What decides its result beside networks, images and code, as JSON."""
        seed = {"seed": self.seed} if self.certificate.entry.random else {}
        return {
            **self.certificate.settings,
            **self.defence.settings,
            "epsilons": list(self.epsilons),
            "certificate": self.certificate.name,
            "defence": self.defence.name,
            "calibration_size": self.calibration_size,
            **seed,
        }

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules whose source, with what they import, computes it."""
        own = (*self.certificate.entry.modules, *self.defence.entry.modules)
        return ("gauntlet.cells.assemble", "gauntlet.cells.certify", *own)


def plan_cells(config: AttackConfig) -> list[Cell]:
    """Return all cells of a config, by defence, threat model and attack."""
    return [
        Cell(
            config.attack(attack),
            config.defence(defence),
            threat_model,
            config.seed,
            config.calibration_size(defence),
            config["relative_budget"],
        )
        for defence, threat_model in config.combinations()
        for attack in config.attacks_under(threat_model)
    ]


def plan_certifications(config: AttackConfig) -> list[Certification]:
    """Return all certifications of a config that nothing known stands in the way of."""
    return [
        Certification(
            config.certificate(one.certificate),
            config.defence(one.defence),
            config.seed,
            config.calibration_size(one.defence),
        )
        for one in config.certifying()
        if not one.obstacle
    ]


def parts_of(config: AttackConfig) -> tuple[str, ...]:
    """Return every network that a config's cells and certifications need, by its part."""
    planned: list[Cell | Certification] = [*plan_cells(config), *plan_certifications(config)]
    return tuple(dict.fromkeys(part for one in planned for part in one.parts))
