"""The second paper's tables 1 and 2 and its curves over DeepFool's steps."""

from __future__ import annotations

from collections.abc import Iterator

from gauntlet.catalogue.parameters import Value
from gauntlet.papers.config import ReproduceConfig
from gauntlet.papers.plan import Attacked, Network, Part, attack_config, network

EPSILON = 0.005
"""Table 1: budget of FGSM and of the iterative method."""

STRONG_EPSILON = 0.1
STRONGEST = ("autoattack", "bim")
"""Attacks of the headline, in the worst case. AutoAttack is not all of it: the iterative method has
fooled images that AutoAttack left."""

SWEEP = (0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0)
STEPS = (10, 20, 50, 100, 200, 500, 1000)
"""Of DeepFool, section 4.3."""


def networks(config: ReproduceConfig) -> Iterator[Network]:
    """Yield every network of every seed."""
    for seed in config.seeds:
        yield network("classic", *_table_1(config, "convolutional", seed))
        yield network("funn", *_table_1(config, "funn", seed))
    yield network("magnet", _table_2(config))


def _table_1(config: ReproduceConfig, autoencoder: str, seed: int) -> Iterator[Part]:
    def part(name: str, images: Attacked, attacks: str, **own: Value) -> Part:
        return Part(
            name,
            attack_config(
                config,
                autoencoder=autoencoder,
                seed=seed,
                filters=config["filters"],
                attacks=attacks,
                defence="features",
                threat_models="white_box",
                **{"epsilons": (EPSILON,)} | own,
            ),
            images,
        )

    # The library that the paper used stepped by 0.05, so every step fills the budget.
    iterative = {"steps": 10, "rel_step": 1.0}
    yield part("table 1", "all", "deepfool_l2,deepfool_linf,fgsm,bim", **iterative)
    yield part("pixel", config["few"], "single_pixel")
    for selection in ("lowest", "highest"):
        own = {"local_search_selection": selection}
        yield part(selection, config["local_search_images"], "local_search", **own)
    for steps in STEPS:
        yield part(
            f"steps {steps}", config["few"], "deepfool_l2,deepfool_linf", deepfool_steps=steps
        )
    yield part("sweep", config["few"], "fgsm,bim", epsilons=SWEEP, **iterative)
    strong = {"epsilons": (STRONG_EPSILON,)}
    images = config["autoattack_images"]
    yield part("autoattack", images, ",".join(STRONGEST), **strong, **iterative)
    # With its own defaults it would take as long as all else together.
    yield part("cw", config["few"], "cw_l2", cw_steps=300, cw_searches=3, **strong)


def _table_2(config: ReproduceConfig) -> Part:
    """Return MagNet's attacks: table 2, its own undefended network beside it."""
    return Part(
        "table 2",
        attack_config(
            config,
            attacks="deepfool_linf,fgsm,bim",
            steps=10,
            rel_step=1.0,
            epsilons=(EPSILON,),
            defence="none,magnet",
            threat_models="white_box,gray_box",
            classifier="convolutional",
            classifier_epochs=config["magnet_classifier_epochs"],
            autoencoder="magnet_1",
            epochs=config["magnet_epochs"],
        ),
        config["few"],
    )
