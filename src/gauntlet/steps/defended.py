"""A defence, put together from its models in the store."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from gauntlet.config.attack import AttackConfig
from gauntlet.config.published import MAGNET
from gauntlet.config.tables import STOCHASTIC
from gauntlet.data.dataset import Dataset
from gauntlet.seeding import child_seed
from gauntlet.steps.cells import Models
from gauntlet.tracking.artifacts import StoredModel, load_model

if TYPE_CHECKING:
    import keras

    from gauntlet.defences.defended_model import DefendedModel
    from gauntlet.defences.magnet import MagNet


@lru_cache(maxsize=6)
def loaded(stored: StoredModel | None) -> keras.Model | None:
    """Return a model of the store; the last ones stay in memory. None for none."""
    return None if stored is None else load_model(stored)


def build_defended(
    defence: str, models: Models, config: AttackConfig, data: Dataset
) -> DefendedModel:
    """Return what is attacked and judged; of `magnet`, with thresholds from validation images."""
    if defence == "magnet":
        return _magnet(models, config, data)
    return assemble(defence, loaded(models.classifier), loaded(models.autoencoder), config)


def assemble(
    defence: str, classifier: keras.Model, autoencoder: keras.Model | None, config: AttackConfig
) -> DefendedModel:
    """Return a defence of one autoencoder and one classifier."""
    from gauntlet.defences.defended_model import DefendedModel
    from gauntlet.defences.features import FeaturesModel
    from gauntlet.defences.stochastic import StochasticModel

    parts = classifier, autoencoder
    if config.stochastic and defence in STOCHASTIC:
        judge = child_seed(config.seed, "judge")
        return StochasticModel(*parts, config.eot_samples, config.judge_draws, judge)
    return FeaturesModel(*parts) if defence == "features" else DefendedModel(*parts)


def _magnet(models: Models, config: AttackConfig, data: Dataset) -> MagNet:
    from gauntlet.defences.magnet import MagNet

    first, second = loaded(models.magnet_1), loaded(models.magnet_2)
    parts = MagNet(loaded(models.classifier), first, second, config.detectors)
    # The last ones, as everywhere in this project; the paper holds out the first 5,000.
    held_out = data.x_train[-config.autoencoder_config(MAGNET[0]).validation_size :]
    return parts.calibrated(held_out, config.false_positive_rate)
