"""A paper of three claims on three small networks: reproduced in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gauntlet.config.command_line import parse
from gauntlet.config.training import AutoencoderConfig
from gauntlet.papers.config import ReproduceConfig
from gauntlet.papers.paper import PAPERS, Paper
from gauntlet.papers.plan import Network, Part, attack_config, network, shared

PARAMETERS = {
    "dataset": "digits",
    "train_size": "400",
    "test_size": "60",
    "paper": "sivaslioglu2020",
}

CLAIMS = """
paper: sivaslioglu2020
title: A small paper
authors: Somebody
published: "2020"
claims:
- &one
  id: fgsm-encoded
  where: section 1
  text: FGSM takes nothing.
  published: "0.01"
  tolerance: everything is allowed
  readings:
  - name: any
    checks:
    - measures:
      - {network: vanilla, part: dense, attack: fgsm, defence: encoded, threat_model: white_box,
         epsilon: 0.1, quantity: robust_accuracy}
      expect: {at_least: 0}
- {<<: *one, id: impossible, readings: [{name: none, checks: [{measures: [{data: mean_square}],
   expect: {at_least: 2}}]}]}
- {<<: *one, id: unmeasured, readings: [{name: none, checks: [{measures: [{network: tanh throughout,
   model: autoencoder, metric: train/loss}], expect: {at_least: 1.0e+9}}]}]}
"""


def networks(config: ReproduceConfig) -> list[Network]:
    """The paper's plan."""
    own = {
        "epochs": 20,
        "widths": (32, 16),
        "batch_size": 32,
        "learning_rate": 0.005,
        "defence": "encoded",
        "threat_models": "white_box",
        "attacks": "fgsm,bim",
        "epsilons": (0.0, 0.05, 0.1, 0.2, 0.3),
    }
    tanh = AutoencoderConfig(**shared(config), epochs=2, widths=(16, 4), activation="tanh")
    vanilla = network("vanilla", Part("dense", attack_config(config, **own), 50))
    plane = AutoencoderConfig(**shared(config), autoencoder="variational", epochs=1)
    return [vanilla, Network("tanh throughout", tanh, ()), Network("variational", plane, ())]


class SmallPaper(Paper):
    """A paper whose claims lie where the test writes them."""

    folder: Path

    @property
    def claims(self) -> Path:
        """The file of its claims."""
        return self.folder / "sivaslioglu2020.yaml"


def know(folder: Path) -> None:
    """Let `reproduce` know this paper in the place of the first; its claims lie in `folder`."""
    first = PAPERS["sivaslioglu2020"]
    SmallPaper.folder = folder
    PAPERS._entries[first.name] = SmallPaper(
        name=first.name,
        sentence=first.sentence,  # `--help` is remembered by the process
        code="small_paper:networks",
        report=first.report,
        data="gauntlet.papers.vigouroux2018.data:measures",
        parameters=first.parameters,
        first_images=first.first_images,
    )


def small_paper(folder: Path, monkeypatch: Any, **more: str) -> ReproduceConfig:
    """Let `reproduce` know this paper alone; return the config that writes into `folder`."""
    (folder / "sivaslioglu2020.yaml").write_text(CLAIMS)
    monkeypatch.setitem(PAPERS._entries, "sivaslioglu2020", PAPERS["sivaslioglu2020"])
    know(folder)
    found = parse("reproduce", PARAMETERS | {"output": str(folder / "reports")} | more)
    assert isinstance(found, ReproduceConfig)
    return found
