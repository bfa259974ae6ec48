"""Config of the attack entry point: which attacks on which defences under which threat models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gauntlet.catalogue.attacks import ATTACKS, Attack, Ratio, ratio_of
from gauntlet.catalogue.autoencoders import AUTOENCODERS, from_preset
from gauntlet.catalogue.certificates import CERTIFICATES, Certifiable, Certificate, Certifying
from gauntlet.catalogue.components import Chosen, chosen
from gauntlet.catalogue.datasets import find_dataset
from gauntlet.catalogue.default_attacks import written_out
from gauntlet.catalogue.defences import AUTOENCODER, DEFENCES, STOCHASTIC, Defence
from gauntlet.catalogue.parameters import Parameter
from gauntlet.catalogue.threat_models import THREAT_MODELS, ThreatModel, suiting
from gauntlet.catalogue.trainings import Trainable, Training
from gauntlet.config.attack_parameters import (
    ALL,
    attack_parameters,
    certificate_parameters,
    defence_parameters,
)
from gauntlet.config.data import TooMany
from gauntlet.config.networks import NetworksConfig, check_classifier


class Combination(NamedTuple):
    """A defence under a threat model."""

    defence: Defence
    threat_model: ThreatModel


class AttackConfig(NetworksConfig):
    """Attack one defended classifier."""

    entry_point = "attack"

    @classmethod
    def declare(cls) -> tuple[Parameter, ...]:
        """Return the parameters of data, networks, defences, attacks and certificates."""
        attacking = *defence_parameters(), *attack_parameters()
        return *super().declare(), *attacking, *certificate_parameters()

    def check(self) -> None:
        """Check that defences, networks, attacks, certificates and threat models go together."""
        super().check()
        for check in (
            self._check_networks,
            self._check_draws,
            self._check_calibration,
            self._check_classes,
            self._check_components,
            self._check_grants,
            self._check_combinations,
            self._check_certificates,
        ):
            check()

    @property
    def defences(self) -> tuple[Defence, ...]:
        """The defences that are attacked."""
        return tuple(DEFENCES[name] for name in self["defence"])

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """The attacks that were asked for, whoever attacks."""
        return written_out(self["attacks"], knows_all=True)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates that were asked for."""
        return tuple(CERTIFICATES[name] for name in self["certificates"])

    @property
    def attacks_read(self) -> tuple[Attack, ...]:
        """The attacks whose parameters are checked: those of this run."""
        return self.attacks

    @property
    def trains_autoencoder(self) -> bool:
        """Whether anything reads the parameters of the run's autoencoder."""
        return any(defence.has_run_autoencoder for defence in self.defences)

    @property
    def decisive(self) -> frozenset[str]:
        """Where a defence brings autoencoders of its own, they train as published otherwise."""
        own = any(set(d.autoencoders) & set(AUTOENCODERS) for d in self.defences)
        return from_preset() if own else frozenset()

    def attack(self, entry: Attack) -> Chosen[Attack]:
        """Return an attack with the values of its parameters."""
        return chosen(entry, self.values)

    def defence(self, entry: Defence) -> Chosen[Defence]:
        """Return a defence with the values of its parameters."""
        return chosen(entry, self.values)

    def certificate(self, entry: Certificate) -> Chosen[Certificate]:
        """Return a certificate with the values of its parameters."""
        return chosen(entry, self.values)

    def networks_of(self, entry: Defence) -> dict[str, Training[Trainable]]:
        """Return how each part of a defence is trained: its autoencoders, then its classifier."""
        *before, last = entry.parts(self.defence(entry).values)
        found: dict[str, Training[Trainable]] = {
            part: self.autoencoder(None if part == AUTOENCODER else part) for part in before
        }
        return {**found, last: self.classifier(entry.inputs)}

    def calibration_size(self, entry: Defence) -> int:
        """Return how many held-out training images a defence needs: the last ones."""
        return self.autoencoder(entry.calibrated_by).held_out if entry.calibrated_by else 0

    def attacks_under(self, threat_model: ThreatModel) -> tuple[Attack, ...]:
        """Return the attacks of this run that a threat model allows."""
        asked = written_out(self["attacks"], threat_model.knows_all)
        return tuple(attack for attack in asked if threat_model.allows(attack))

    def combinations(self) -> list[Combination]:
        """Return what is attacked under which threat model, in the order of the tables."""
        return [
            Combination(defence, threat_model)
            for defence in self.defences
            for threat_model in self._wanted(suiting(defence))
            if self.attacks_under(threat_model)
        ]

    def certifying(self) -> list[Certifying]:
        """Return each certificate on each defence, with what stands in its way."""
        return [
            Certifying(certificate, defence, certificate.obstacle(self._certifiable(defence)))
            for certificate in self.certificates
            for defence in self.defences
        ]

    def skipped(self) -> list[Combination]:
        """Return the combinations that were named but make no sense."""
        return [
            Combination(defence, THREAT_MODELS[name])
            for defence in self.defences
            for name in self["threat_models"]
            if name not in (ALL, *suiting(defence))
        ]

    def idle_attacks(self) -> list[Attack]:
        """Return the attacks that were named but that no threat model of this run allows."""
        threat_models = {threat_model for _, threat_model in self.combinations()}
        used = {attack for each in threat_models for attack in self.attacks_under(each)}
        asked = written_out(self["attacks"], any(each.knows_all for each in threat_models))
        return [attack for attack in asked if attack not in used]

    @property
    def held_out_sizes(self) -> tuple[int, ...]:
        """As of every training; a defence may bring autoencoders with a preset of their own."""
        own = [size for d in self.defences if (size := self.calibration_size(d))]
        return tuple(dict.fromkeys([*super().held_out_sizes, *own]))

    @property
    def ratios(self) -> dict[Ratio, list[str]]:
        """The differences of logits ratios that are followed, each with the attacks that do."""
        found: dict[Ratio, list[str]] = {}
        for entry in self.attacks_read:
            if (ratio := ratio_of(self.attack(entry))) is not None:
                found.setdefault(ratio, []).append(entry.name)
        return found

    def beyond(self, classes: int) -> Iterator[TooMany]:
        """Yield what asks for more than so many classes."""
        for parameter in dict.fromkeys(p for a in self.attacks_read for p in a.all_parameters):
            name = parameter.name
            if parameter.names_class and self[name] >= classes:
                yield TooMany(name, f"a class from 0 to {classes - 1}", self[name])
            if parameter.counts_classes and name in self.given and self[name] >= classes:
                yield TooMany(name, f"at most the {classes - 1} wrong classes", self[name])

    def _wanted(self, among: Iterable[str]) -> list[ThreatModel]:
        asked = self["threat_models"]
        return [THREAT_MODELS[name] for name in among if ALL in asked or name in asked]

    def _certifiable(self, entry: Defence) -> Certifiable:
        return Certifiable(self.defence(entry), self.networks_of(entry))

    def _check_networks(self) -> None:
        for inputs in dict.fromkeys(defence.inputs for defence in self.defences):
            check_classifier(self, inputs)
        if any(model.gradient_of == "surrogate" for _, model in self.combinations()):
            check_classifier(self, "raw")

    def _check_draws(self) -> None:
        if not self[STOCHASTIC.name]:
            return
        if not AUTOENCODERS[self["autoencoder"]].draws(self.values):
            raise ValueError(
                "--stochastic: expected autoencoder=variational, or denoising with noise > 0; "
                f"received autoencoder={self['autoencoder']}"
            )
        drawing = [n for n, d in DEFENCES.items() if STOCHASTIC in d.all_parameters]
        if not set(drawing) & set(self["defence"]):
            raise ValueError(
                f"--stochastic: expected a defence that draws, {' or '.join(drawing)}; received "
                f"defence={','.join(self['defence'])}"
            )

    def _check_calibration(self) -> None:
        for defence in self.defences:
            if defence.calibrated_by and not self.calibration_size(defence):
                raise ValueError(
                    "--validation_size: expected at least 1 for the thresholds of "
                    f"defence={defence.name}; received 0"
                )

    def _check_classes(self) -> None:
        classes = find_dataset(self["dataset"])[0].classes
        for flag, expected, received in () if classes is None else self.beyond(classes):
            raise ValueError(f"--{flag}: expected {expected}; received {received}")

    def _check_components(self) -> None:
        for entry in (*self.attacks_read, *self.certificates, *self.defences):
            entry.rule(chosen(entry, self.values).values)

    def _check_grants(self) -> None:
        for name in self["threat_models"]:
            if name != ALL and not self.attacks_under(THREAT_MODELS[name]):
                allowed = [a for a, entry in ATTACKS.items() if THREAT_MODELS[name].allows(entry)]
                raise ValueError(
                    f"threat_models={name} allows {', '.join(allowed)}; "
                    f"received attacks={','.join(self['attacks'])}"
                )

    def _check_combinations(self) -> None:
        asked = ",".join(self["threat_models"])
        for defence in self.defences:
            if not self._wanted(suiting(defence)):
                raise ValueError(
                    f"threat_models={asked} makes no sense for defence={defence.name}, which "
                    f"allows {', '.join(suiting(defence))}"
                )
        for name in sorted(set(self["threat_models"]) - {ALL}):
            if not any(name in suiting(defence) for defence in self.defences):
                raise ValueError(
                    f"threat_models={name} makes no sense for defence={','.join(self['defence'])}"
                )

    def _check_certificates(self) -> None:
        for certificate in self.certificates:
            mine = [one for one in self.certifying() if one.certificate is certificate]
            if all(one.obstacle for one in mine):
                raise ValueError(f"--certificates: {mine[0]}")
