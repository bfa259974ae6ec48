"""One model out of the parts of a defence, differentiable from the image to the logits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from gauntlet.training.keras_loops import predict


@dataclass(frozen=True)
class DefendedModel:
    """A classifier, and the autoencoder that stands before it (none: undefended).

    `reformer` and `encoded` have the same graph; they differ in what the classifier learned from.
    """

    classifier: keras.Model
    autoencoder: keras.Model | None = None

    rejects: ClassVar[bool] = False
    """True: the graph has one logit more, the largest where the defence rejects the image."""

    @cached_property
    def graph(self) -> keras.Model:
        """The whole defence as one Keras model from image to logits."""
        if self.autoencoder is None:
            return self.classifier
        image = keras.Input(self.autoencoder.input_shape[1:])
        return keras.Model(image, self.classifier(self.autoencoder(image)))

    @property
    def draws(self) -> int:
        """Random draws behind each of the graph's logits: one, where nothing is random."""
        return 1

    def restart(self, seed: int) -> None:
        """Let random draws begin anew; there are none here."""

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the graph's logits for images `(n, height, width, channels)` in [0, 1]."""
        return predict(self.graph, images)

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each image `(n,)`, or -1 where the defence rejects it."""
        return np.asarray(self.logits(images).argmax(axis=1))

    def votes(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each image by each draw `(draws, n)`: one draw, if none is random."""
        return self.predict(images)[None]

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the autoencoder's output, or the images themselves if there is none."""
        return images if self.autoencoder is None else predict(self.autoencoder, images)
