"""MagNet (Meng and Chen 2017): detectors reject what lies far from the data, a reformer the rest.

Every detector gives an image a mark and rejects it from a threshold on, which few clean images
reach. What all of them accept is reformed, that is reconstructed, and classified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from gauntlet.config.base import REJECTED
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.training.keras_loops import predict

TEMPERATURES = (10, 40)
"""Of the two Jensen-Shannon detectors."""

MARKS = {"l2": ("l2",), "l1": ("l1",), "jsd": tuple(f"jsd_{t}" for t in TEMPERATURES)}
"""The marks that each detector gives."""


class Verdicts(NamedTuple):
    """What the parts of a MagNet say of images, each `(n,)`.

    Attributes:
        bare: classes without any defence.
        reformed: classes of the reformed images.
        rejected: which images any detector rejects.
    """

    bare: NDArray[np.int64]
    reformed: NDArray[np.int64]
    rejected: NDArray[np.bool_]


@dataclass(frozen=True)
class MagNet(DefendedModel):
    """A classifier behind detectors and a reformer; `autoencoder` is `magnet_1`, the reformer.

    Attributes:
        second: `magnet_2`, for the detector `l1`.
        detectors: names, of `MARKS`.
        thresholds: one a mark; an image is rejected if any mark is at least its threshold.
    """

    second: keras.Model | None = None
    detectors: tuple[str, ...] = ("l2", "l1")
    thresholds: tuple[float, ...] = ()

    rejects: ClassVar[bool] = True

    def calibrated(self, validation: NDArray[np.float32], rate: float) -> MagNet:
        """Return the same parts with thresholds from clean images that no autoencoder learned from.

        Args:
            validation: `(n, height, width, channels)` in [0, 1].
            rate: share of them that each detector may reject.
        """
        marks = self._judge(validation)[1]
        return replace(self, thresholds=tuple(threshold(column, rate) for column in marks.T))

    @property
    def mark_names(self) -> tuple[str, ...]:
        """Names of the marks, in the order of the thresholds."""
        return tuple(mark for detector in self.detectors for mark in MARKS[detector])

    @cached_property
    def graph(self) -> keras.Model:
        """From image to logits `(n, classes + 1)`: the last one is the largest if it is rejected.

        It stands above the largest other logit by as much as the worst mark exceeds its threshold,
        as a share of it; so a gradient that lowers it lowers marks.
        """
        image, logits, marks = self._tensors
        excess = ops.max(marks / np.array(self.thresholds, np.float32) - 1, axis=1, keepdims=True)
        rejection = ops.max(logits, axis=1, keepdims=True) + excess
        return keras.Model(image, ops.concatenate([logits, rejection], axis=1))

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each image after the reformer `(n,)`, or -1 where it is rejected."""
        logits, marks = self._judge(images)
        return np.where(self._rejected(marks), REJECTED, logits.argmax(axis=1))

    def verdicts(self, images: NDArray[np.float32]) -> Verdicts:
        """Return what each part says of images `(n, height, width, channels)`."""
        logits, marks = self._judge(images)
        bare = predict(self.classifier, images).argmax(axis=1)
        return Verdicts(bare, logits.argmax(axis=1), self._rejected(marks))

    def _rejected(self, marks: NDArray[np.float32]) -> NDArray[np.bool_]:
        # Not by the last logit: in float32 a mark just under its threshold does not move it.
        return np.asarray((marks >= np.array(self.thresholds, np.float32)).any(axis=1))

    def _judge(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Return logits of the reformed images `(n, classes)`, and the marks `(n, marks)`."""
        both = predict(self._judging_graph, images)
        cut = both.shape[1] - len(self.mark_names)
        return both[:, :cut], both[:, cut:]

    @cached_property
    def _judging_graph(self) -> keras.Model:
        image, logits, marks = self._tensors
        return keras.Model(image, ops.concatenate([logits, marks], axis=1))

    @cached_property
    def _tensors(self) -> tuple[Any, Any, Any]:
        """Image, logits of its reformed self and marks, all of one graph."""
        image = keras.Input(self.classifier.input_shape[1:])
        reformer: Any = self.autoencoder
        second: Any = self.second
        reconstruction = reformer(image)
        reformed = self.classifier(ops.clip(reconstruction, 0.0, 1.0))
        marks = []
        for detector in self.detectors:
            if detector == "l2":
                marks.append(_mean_over_pixels(ops.square(image - reconstruction)))
            elif detector == "l1":
                marks.append(_mean_over_pixels(ops.abs(image - second(image))))
            else:
                bare = self.classifier(image)
                marks += [divergence(bare / t, reformed / t) for t in TEMPERATURES]
        return image, reformed, ops.stack(marks, axis=1)


def threshold(marks: NDArray[np.float32], rate: float) -> float:
    """Return the int(n * rate)-th largest mark of n clean images, which is rejected itself.

    Above the largest, if not one of them may be rejected (index -0 would be the smallest).
    """
    allowed = int(len(marks) * rate)
    if allowed == 0:
        return float(np.nextafter(marks.max(), np.float32(np.inf)))
    return float(np.sort(marks)[-allowed])


def divergence(one: Any, other: Any) -> Any:
    """Return the Jensen-Shannon divergence of the softmaxes of logits `(n, classes)`: `(n,)`.

    In nats, from 0 to log 2.
    """
    p, q = ops.softmax(one), ops.softmax(other)
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def _relative_entropy(p: Any, q: Any) -> Any:
    tiny = 1e-12  # a probability that has underflowed has no logarithm
    return ops.sum(p * ops.log((p + tiny) / (q + tiny)), axis=-1)


def _mean_over_pixels(images: Any) -> Any:
    return ops.mean(images, axis=(1, 2, 3))
