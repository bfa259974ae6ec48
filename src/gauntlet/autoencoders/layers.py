"""Layers and a regularizer that Keras lacks.

They are registered with Keras, so `.keras` files refer to them by name and hold no pickles.
"""

from __future__ import annotations

import keras
from keras import ops

from gauntlet.arrays import Tensor

CODE = "code"
"""Name of the layer whose output is the code."""


@keras.saving.register_keras_serializable(package="gauntlet")
class KLSparsity(keras.regularizers.Regularizer):
    """KL divergence between a Bernoulli variable of mean rho and the mean activation of each unit.

    First paper, section 5.3: the sum over units j of
    rho log(rho / rho_j) + (1 - rho) log((1 - rho) / (1 - rho_j)). Keras divides penalties of
    activations by the batch size. This penalty belongs to the batch, so it is multiplied by it.
    """

    def __init__(self, weight: float, rho: float) -> None:
        self.weight = weight
        self.rho = rho

    def __call__(self, activations: Tensor) -> Tensor:
        """Return the penalty of activations `(n, units)`, each in (0, 1)."""
        mean = ops.clip(ops.mean(activations, axis=0), 1e-7, 1 - 1e-7)
        kl = self.rho * ops.log(self.rho / mean) + (1 - self.rho) * ops.log(
            (1 - self.rho) / (1 - mean)
        )
        return self.weight * ops.sum(kl) * ops.cast(ops.shape(activations)[0], kl.dtype)

    def get_config(self) -> dict[str, float]:
        """Return the constructor's arguments."""
        return {"weight": self.weight, "rho": self.rho}


@keras.saving.register_keras_serializable(package="gauntlet")
class Sampling(keras.layers.Layer):
    """Draw z = mean + exp(log_variance / 2) e and add KL(q(z|x) || N(0, I)) to the loss.

    Outside training z is the mean. That path has no random numbers: a white-box attack follows it.
    """

    def __init__(self, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: tuple[Tensor, Tensor], training: bool = False) -> Tensor:
        """Map `(mean, log_variance)`, both `(n, latent)`, to z `(n, latent)`."""
        mean, log_variance = inputs
        if not training:
            return mean
        kl = -0.5 * ops.sum(1 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=1)
        self.add_loss(ops.mean(kl))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="gauntlet")
class TrainingNoise(keras.layers.Layer):
    """In training, add Gaussian noise and clip to [0, 1]; otherwise return the images."""

    def __init__(self, stddev: float, seed: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Map images to images of the same shape."""
        if not training:
            return inputs
        noise = keras.random.normal(ops.shape(inputs), stddev=self.stddev, seed=self.seed_generator)
        return ops.clip(inputs + noise, 0.0, 1.0)

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}
