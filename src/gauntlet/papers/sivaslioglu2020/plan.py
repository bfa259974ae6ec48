"""The first paper's matrix: autoencoders x classifiers x attacks x threat models."""

from __future__ import annotations

from collections.abc import Iterator

from gauntlet.config.training import AutoencoderConfig
from gauntlet.papers.config import ReproduceConfig
from gauntlet.papers.plan import Network, Part, attack_config, network, shared

KINDS = ("vanilla", "sparse", "denoising", "variational")

CORRUPTION = 0.5
"""Noise of the denoising autoencoder in training. Section 5.4 says that corrupted input "is not
used"; without any it would be the vanilla one."""

THROUGHOUT = ("relu", "sigmoid", "tanh", "softsign", "softplus", "elu")
"""Figure 5: one activation in every layer."""

WEAK = ("fgsm", "t_fgsm", "bim")
"""The paper's own attacks on a network; autoattack joins them for the headline."""

_LR = "lr_non_targeted,lr_natural,lr_non_natural,lr_one_target"


def networks(config: ReproduceConfig) -> Iterator[Network]:
    """Yield every network of every seed."""
    for seed in config.seeds:
        for kind in KINDS:
            yield network(kind, *_attacks(config, kind, seed))
        # The control: an autoencoder whose output has the images' own scale.
        control = attack_config(
            config,
            seed=seed,
            attacks=WEAK,
            loss="mean_squared_error",
            defence="encoded",
            threat_models="white_box,gray_box,encoded",
        )
        yield network("vanilla, mean squared error", Part("dense", control))
        yield from _activations(config, seed)


def _attacks(config: ReproduceConfig, kind: str, seed: int) -> Iterator[Part]:
    """Yield what is done to one kind of autoencoder (sections 5.2 to 5.5)."""
    own = {
        "autoencoder": kind,
        "seed": seed,
        "noise": CORRUPTION if kind == "denoising" else "auto",
    }
    linear = own | {"classifier": "logistic_regression", "defence": "none,encoded"}
    yield Part("dense", attack_config(config, attacks=WEAK, **own))
    # For the headline.
    strong = {"attacks": "autoattack", "epsilons": (0.1,), "threat_models": "white_box"}
    yield Part("autoattack", attack_config(config, **strong, **own), config["autoattack_images"])
    yield Part("logistic regression", attack_config(config, attacks=_LR, **linear))
    # The paper's matrices are of the sign variant, its curves of the gradient's.
    sign = {"attacks": _LR, "lr_variant": "sign", "threat_models": "white_box,encoded"}
    yield Part("logistic regression, sign", attack_config(config, **sign, **linear))
    relative = {"relative_budget": True, "defence": "encoded", "threat_models": "encoded"}
    yield Part("dense, relative", attack_config(config, attacks=WEAK, **own | relative))
    yield Part(
        "logistic regression, relative", attack_config(config, attacks=_LR, **linear | relative)
    )


def _activations(config: ReproduceConfig, seed: int) -> Iterator[Network]:
    """Yield the autoencoders of figure 5: one activation throughout, trained and not attacked."""
    for name in THROUGHOUT:
        point = dict.fromkeys(("activation", "pre_output_activation", "output_activation"), name)
        own = AutoencoderConfig(**shared(config) | {"seed": seed} | point)
        yield Network(f"{name} throughout", own, ())
