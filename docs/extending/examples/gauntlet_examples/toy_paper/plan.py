"""What the toy paper trains and attacks."""

from __future__ import annotations

from collections.abc import Iterator

from gauntlet.papers.config import ReproduceConfig
from gauntlet.papers.plan import Network, Part, attack_config, network


def networks(config: ReproduceConfig) -> Iterator[Network]:
    """Yield one network per seed: a vanilla autoencoder, attacked with FGSM."""
    for seed in config.seeds:
        attack = attack_config(
            config,
            seed=seed,
            attacks="fgsm",
            defence="none,reformer",
            threat_models="white_box",
            epsilons=(0.1,),
        )
        yield network("vanilla", Part("dense", attack, config["few"]))
