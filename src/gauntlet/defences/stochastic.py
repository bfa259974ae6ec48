"""Defences that draw random numbers at test time.

They are attacked through the mean of many draws, and judged by the majority of other draws. Draws
depend on the order of calls: the same calls after the same `restart` give the same draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from keras import ops

from gauntlet.arrays import Images, Predictions, Tensor, Votes
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.training.keras_loops import predict


class MeanOfDraws(keras.layers.Layer):
    """The logits of a classifier behind a model that draws, averaged over draws per image.

    The gradient of the mean is the mean gradient: expectation over transformation (Athalye et al.
    2018), with the same draws in the forward and the backward pass.
    """

    def __init__(self, classifier: keras.Model, drawing: keras.Model, draws: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.drawing = drawing
        self.draws = draws

    def call(self, images: Tensor) -> Tensor:
        """Map images `(n, height, width, channels)` to mean logits `(n, classes)`."""
        # Image i becomes the rows i * draws to (i + 1) * draws - 1, each with a draw of its own.
        copies = ops.repeat(images, self.draws, axis=0)
        # Keras's layers draw only if they are told that this is training.
        drawn = self.drawing(copies, training=True)
        logits = self.classifier(drawn, training=False)
        return ops.mean(ops.reshape(logits, (-1, self.draws, logits.shape[-1])), axis=1)


@dataclass(frozen=True, kw_only=True)
class StochasticModel(DefendedModel):
    """A classifier behind an autoencoder that draws its latent or its noise for each image.

    What draws, and what sees the draw, may be other models: a subclass overrides `drawing` and
    `behind`.

    Attributes:
        samples: draws that `graph` averages, for attackers.
        judge_draws: draws that vote on each image.
        seed: of the judge's draws. They are the same at every judgement, and no attack sees them.
    """

    samples: int
    judge_draws: int
    seed: int

    @cached_property
    def drawing(self) -> keras.Model:
        """From image to what one draw makes of it; it draws where it is told to train."""
        return self.autoencoder

    @cached_property
    def behind(self) -> keras.Model:
        """From a draw to logits; it draws nothing."""
        return self.classifier

    @property
    def draws(self) -> int:
        """Draws that `graph` averages."""
        return self.samples

    @cached_property
    def graph(self) -> keras.Model:
        """From image to the mean logits of `samples` draws."""
        return self._mean_of(self.samples)

    def votes(self, images: Images) -> Votes:
        """Return the class of each image per draw, `(judge_draws, n)`."""
        self.restart(self.seed)
        drawn = [predict(self._one_draw, images) for _ in range(self.judge_draws)]
        return np.stack([logits.argmax(axis=1) for logits in drawn])

    def predict(self, images: Images) -> Predictions:
        """Return the class that most draws vote for, per image."""
        return majority(self.votes(images))

    def restart(self, seed: int) -> None:
        """Start the draws again, from a seed in [0, 2**31)."""
        for layer in self.drawing.layers:
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([seed, 0])

    @cached_property
    def _one_draw(self) -> keras.Model:
        return self._mean_of(1)

    def _mean_of(self, draws: int) -> keras.Model:
        image = keras.Input(self.drawing.input_shape[1:])
        return keras.Model(image, MeanOfDraws(self.behind, self.drawing, draws)(image))


def majority(votes: Votes) -> Predictions:
    """Return the class with most votes per image, the lowest class of equals."""
    classes = np.unique(votes)
    counts = (votes == classes[:, None, None]).sum(axis=1)
    return np.asarray(classes[counts.argmax(axis=0)])
