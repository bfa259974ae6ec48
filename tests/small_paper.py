"""A paper of three claims on two small networks: reproduced in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gauntlet.config.entry_points import parse
from gauntlet.config.models import AutoencoderConfig
from gauntlet.config.plan import Network, Part, attack_config, network
from gauntlet.config.reproduce import ReproduceConfig
from gauntlet.steps import reproduce

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


def _plan(config: ReproduceConfig) -> list[Network]:
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
    tanh = AutoencoderConfig(**config.data, epochs=2, widths=(16, 4), activation="tanh")
    return [
        network("vanilla", Part("dense", attack_config(config, **own), 50)),
        Network("tanh throughout", 0, tanh, ()),
    ]


def small_paper(folder: Path, monkeypatch: Any, **more: str) -> ReproduceConfig:
    """Let `reproduce` know this paper alone; return the config that writes into `folder`."""
    (folder / "sivaslioglu2020.yaml").write_text(CLAIMS)
    monkeypatch.setattr(reproduce, "CLAIMS", folder)
    monkeypatch.setitem(reproduce.NETWORKS, "sivaslioglu2020", _plan)
    found = parse("reproduce", PARAMETERS | {"output": str(folder / "reports")} | more)
    assert isinstance(found, ReproduceConfig)
    return found
