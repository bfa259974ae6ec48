"""Defences that draw at test time: attacked through the mean of draws, judged by their majority.

Draws follow the order of calls: the same calls after the same `restart` give the same draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from gauntlet.defences.defended_model import DefendedModel
from gauntlet.training.keras_loops import predict


class MeanOfDraws(keras.layers.Layer):
    """Logits of a classifier behind an autoencoder that draws, averaged over draws an image."""

    def __init__(self, classifier: keras.Model, autoencoder: keras.Model, draws: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.autoencoder = autoencoder
        self.draws = draws

    def call(self, images: Any) -> Any:
        """Map images to logits `(n, classes)`; each draw sees `draws` copies of all of them."""
        copies = ops.repeat(images, self.draws, axis=0)
        # To draw is what these layers do in training; the classifier is not in training.
        drawn = self.autoencoder(copies, training=True)
        logits = self.classifier(drawn, training=False)
        return ops.mean(ops.reshape(logits, (-1, self.draws, logits.shape[-1])), axis=1)


@dataclass(frozen=True)
class StochasticModel(DefendedModel):
    """A classifier behind an autoencoder whose latent or noise is drawn anew for each image.

    Attributes:
        samples: draws that `graph` averages; its gradient is the mean of theirs (EOT, Athalye et
            al. 2018).
        judge_draws: draws that vote on each image.
        seed: of the judge's draws; every judgement has the same ones, which no attack has seen.
    """

    samples: int = 20
    judge_draws: int = 50
    seed: int = 0

    @property
    def draws(self) -> int:
        """Draws that `graph` averages."""
        return self.samples

    @cached_property
    def graph(self) -> keras.Model:
        """From image to the mean logits of `samples` draws."""
        return self._mean_of(self.samples)

    def votes(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each image by each draw, `(judge_draws, n)`."""
        self.restart(self.seed)
        drawn = [predict(self._one_draw, images) for _ in range(self.judge_draws)]
        return np.stack([logits.argmax(axis=1) for logits in drawn])

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each image that most draws vote for `(n,)`."""
        return majority(self.votes(images))

    def restart(self, seed: int) -> None:
        """Let the draws begin anew, from a seed in [0, 2**31)."""
        for layer in self.autoencoder.layers if self.autoencoder else ():
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([seed, 0])

    @cached_property
    def _one_draw(self) -> keras.Model:
        return self._mean_of(1)

    def _mean_of(self, draws: int) -> keras.Model:
        autoencoder: Any = self.autoencoder
        image = keras.Input(autoencoder.input_shape[1:])
        return keras.Model(image, MeanOfDraws(self.classifier, autoencoder, draws)(image))


def majority(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class with most votes `(n,)`, the lowest of equals, of votes `(draws, n)`."""
    classes = np.unique(votes)
    counts = (votes == classes[:, None, None]).sum(axis=1)
    return np.asarray(classes[counts.argmax(axis=0)])
