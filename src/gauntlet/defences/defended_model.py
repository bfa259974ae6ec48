"""One model made of the parts of a defence, differentiable from the image to the logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import keras
import numpy as np

from gauntlet.arrays import Floats, Images, Labels, Predictions, Votes
from gauntlet.training.keras_loops import predict


class Parts(NamedTuple):
    """What a defence is put together from.

    Attributes:
        classifier: its one classifier, which ends in logits.
        autoencoders: those that the catalogue names for it, in that order; some may be left out.
        held_out: clean images that no autoencoder learned from, `(n, height, width, channels)`;
            none: the defence needs none.
        seed: of what it draws when it judges.
    """

    classifier: keras.Model
    autoencoders: tuple[keras.Model, ...]
    held_out: Images | None
    seed: int


@dataclass(frozen=True)
class DefendedModel:
    """A classifier, and the autoencoder before it; without one it is undefended.

    The defences `reformer` and `encoded` have the same graph. They differ in what the classifier
    was trained on: images for `reformer`, reconstructions for `encoded`.
    """

    classifier: keras.Model
    autoencoder: keras.Model | None = None

    rejects: ClassVar[bool] = False
    """Whether the graph has one more logit, which is the largest where it rejects the image."""

    @cached_property
    def graph(self) -> keras.Model:
        """The whole defence as one Keras model from image to logits."""
        if self.autoencoder is None:
            return self.classifier
        image = keras.Input(self.autoencoder.input_shape[1:])
        return keras.Model(image, self.classifier(self.autoencoder(image)))

    @property
    def draws(self) -> int:
        """Random draws that the graph's logits average; 1 where nothing is random."""
        return 1

    def restart(self, seed: int) -> None:
        """Start the random draws again, from this seed; here there are none."""

    def logits(self, images: Images) -> Floats:
        """Return the graph's logits `(n, classes)`, one more if it rejects."""
        return predict(self.graph, images)

    def predict(self, images: Images) -> Predictions:
        """Return the class of each image, or -1 where the defence rejects it."""
        return np.asarray(self.logits(images).argmax(axis=1))

    def votes(self, images: Images) -> Votes:
        """Return the class of each image per draw; one draw where nothing is random."""
        return self.predict(images)[None]

    def part_metrics(self, images: Images, labels: Labels) -> Iterator[tuple[str, float]]:
        """Yield what parts of the defence do with attacked images: here there is nothing to say."""
        del images, labels
        yield from ()

    def own_metrics(self, images: Images) -> Iterator[tuple[str, float]]:
        """Yield what is to be known of the defence on clean images: here nothing."""
        del images
        yield from ()

    def reconstruct(self, images: Images) -> Images:
        """Return the autoencoder's output, or the images themselves if there is none."""
        return images if self.autoencoder is None else predict(self.autoencoder, images)
