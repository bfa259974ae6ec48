"""Cells: one attack on one defence under one threat model each; what they are, before any runs."""

from __future__ import annotations

from dataclasses import dataclass

from gauntlet.config.attack import AttackConfig
from gauntlet.config.tables import MADE_OF
from gauntlet.data.dataset import Dataset
from gauntlet.tracking.artifacts import StoredModel
from gauntlet.tracking.step_cache import Fingerprint

COMPUTED_BY = (
    "gauntlet.attacks.crafting",
    "gauntlet.autoencoders.layers",  # a loaded model runs this code too
    "gauntlet.config.attack",
    "gauntlet.config.base",
    "gauntlet.config.defence",
    "gauntlet.config.models",
    "gauntlet.config.published",
    "gauntlet.config.tables",
    "gauntlet.data.registry",
    "gauntlet.data.subsets",
    "gauntlet.defences.features",
    "gauntlet.defences.magnet",
    "gauntlet.defences.stochastic",
    "gauntlet.evaluation.metrics",
    "gauntlet.training.runtime",
    "gauntlet.steps.cell_runner",
    "gauntlet.steps.cells",
    "gauntlet.steps.defended",
    "gauntlet.steps.inputs",
)


@dataclass(frozen=True)
class Models:
    """The trained models of an attack run, as they lie in the store; None: not needed.

    `raw`, `encoded`, `features` are classifiers, named after what they learned from.
    """

    autoencoder: StoredModel | None = None
    magnet_1: StoredModel | None = None
    magnet_2: StoredModel | None = None
    raw: StoredModel | None = None
    encoded: StoredModel | None = None
    features: StoredModel | None = None
    surrogate: StoredModel | None = None

    @property
    def all(self) -> list[StoredModel]:
        """Those that there are."""
        return list(self.named.values())

    @property
    def named(self) -> dict[str, StoredModel]:
        """Name -> model of those that there are."""
        return {name: m for name, m in vars(self).items() if m is not None}

    @property
    def tags(self) -> dict[str, str]:
        """The run ids of a run's inputs."""
        return {f"gauntlet.input.{name}": model.run_id for name, model in self.named.items()}

    @property
    def classifier(self) -> StoredModel:
        """The one classifier of a cell."""
        (classifier,) = filter(None, (self.raw, self.encoded, self.features))
        return classifier

    def used_by(self, defence: str, threat_model: str) -> Models:
        """Return only the models that a cell's result depends on."""
        surrogate = ("surrogate",) if threat_model == "transfer" else ()
        return Models(**{name: getattr(self, name) for name in (*MADE_OF[defence], *surrogate)})


@dataclass(frozen=True)
class Cell:
    """What one cell is; hashable."""

    defence: str
    threat_model: str
    attack: str
    fingerprint: Fingerprint
    models: Models

    def __hash__(self) -> int:
        return hash((self.defence, self.threat_model, self.attack))

    @property
    def name(self) -> str:
        """As the UI shows it."""
        return f"{self.attack}, defence {self.defence}, threat model {self.threat_model}"

    @property
    def crafting_key(self) -> tuple[str, ...]:
        """Cells with the same key have the same adversarial images: same start, same gradient.

        Without the autoencoder in the attacker's view, a reformed classifier is the undefended one.
        """
        if self.threat_model == "transfer":
            return (self.attack, "surrogate")
        if self.defence in ("reformer", "magnet") and self.threat_model == "gray_box":
            return (self.attack, "none", "white_box")
        # Where only queries are asked, the white box is a black one.
        view = "white_box" if self.threat_model == "black_box" else self.threat_model
        return (self.attack, self.defence, view)


def plan_cells(config: AttackConfig, data: Dataset, models: Models) -> list[Cell]:
    """Return all cells of a config, by defence, threat model and attack."""
    return [
        _plan(config, data, models.used_by(defence, threat_model), defence, threat_model, attack)
        for defence, threat_model in config.combinations()
        for attack in config.attacks_under(threat_model)
    ]


def _plan(
    config: AttackConfig, data: Dataset, models: Models, defence: str, threat_model: str, name: str
) -> Cell:
    settings = {
        **config.attack_settings(name),
        **config.defence_settings(defence),
        **config.sampling_settings(defence, threat_model),
        **config.budget_settings(threat_model),
        "defence": defence,
        "threat_model": threat_model,
        "seed": config.seed,
    }
    inputs = {"data": data.sha256, **{k: m.weights_sha256 for k, m in models.named.items()}}
    subject = f"{name} on {defence} {threat_model}"
    fingerprint = Fingerprint("cell", subject, settings, inputs, COMPUTED_BY)
    return Cell(defence, threat_model, name, fingerprint, models)
