"""MagNet (Meng and Chen 2017): detectors before a reformer before a classifier.

Detectors reject images far from the training data; a reformer reconstructs the ones they accept,
and the reconstruction is classified. A detector gives an image a number, its mark, and rejects it
if the mark reaches a threshold. Thresholds are set so that few clean images reach them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops

from gauntlet.arrays import REJECTED, Flags, Floats, Images, Labels, Predictions, Tensor
from gauntlet.defences.defended_model import DefendedModel, Parts
from gauntlet.training.keras_loops import predict

TEMPERATURES = (10, 40)
"""Temperatures of the two Jensen-Shannon detectors."""

MARKS = {"l2": ("l2",), "l1": ("l1",), "jsd": tuple(f"jsd_{t}" for t in TEMPERATURES)}
"""Names of the marks that each detector gives."""


class Verdicts(NamedTuple):
    """How the parts of a MagNet judge images, each alone.

    Attributes:
        bare: classes of the images themselves, without any defence.
        reformed: classes of the reformed images.
        rejected: which images any detector rejects.
    """

    bare: Predictions
    reformed: Predictions
    rejected: Flags


@dataclass(frozen=True, kw_only=True)
class MagNet(DefendedModel):
    """A classifier behind detectors and a reformer; `autoencoder` is `magnet_1`, the reformer.

    Attributes:
        second: `magnet_2`, the autoencoder of the detector `l1`; None: there is no such detector.
        detectors: names in `MARKS`.
        thresholds: one per mark; an image is rejected if any mark is at least its threshold.
    """

    second: keras.Model | None
    detectors: tuple[str, ...]
    thresholds: tuple[float, ...] = ()

    rejects: ClassVar[bool] = True

    def calibrated(self, validation: Images, rate: float) -> MagNet:
        """Return the same parts with thresholds from clean images.

        Args:
            validation: images that no autoencoder was trained on.
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
        """From image to logits `(n, classes + 1)`; the last is the largest if it is rejected.

        This is what adaptive attacks differentiate. Detectors answer yes or no, which has no
        gradient, so the rejection logit turns their answer into a number: the largest class logit
        plus the excess, which is the largest of (mark / threshold - 1) over all marks. The excess
        is >= 0 exactly if a mark reaches its threshold, so the rejection logit is then the largest;
        and a gradient step that lowers it relative to the classes lowers the worst mark.
        """
        image, logits, marks = self._tensors
        excess = ops.max(marks / np.array(self.thresholds, np.float32) - 1, axis=1, keepdims=True)
        rejection = ops.max(logits, axis=1, keepdims=True) + excess
        return keras.Model(image, ops.concatenate([logits, rejection], axis=1))

    def predict(self, images: Images) -> Predictions:
        """Return the class of each reformed image, or -1 where the image is rejected."""
        logits, marks = self._judge(images)
        return np.where(self._rejected(marks), REJECTED, logits.argmax(axis=1))

    def verdicts(self, images: Images) -> Verdicts:
        """Return how each part judges the images."""
        logits, marks = self._judge(images)
        bare = predict(self.classifier, images).argmax(axis=1)
        return Verdicts(bare, logits.argmax(axis=1), self._rejected(marks))

    def own_metrics(self, images: Images) -> Iterator[tuple[str, float]]:
        """Yield the thresholds, and the share of clean images that is rejected."""
        for name, limit in zip(self.mark_names, self.thresholds, strict=True):
            yield f"magnet/threshold_{name}", limit
        rejected = self._rejected(self._judge(images)[1])
        yield "magnet/false_positive_rate", float(rejected.mean())

    def part_metrics(self, images: Images, labels: Labels) -> Iterator[tuple[str, float]]:
        """Yield the shares of attacked images on which each part defeats the attack.

        A rejected image counts as correct.
        """
        bare, reformed, rejected = self.verdicts(images)
        yield "magnet/accuracy_none", float((bare == labels).mean())
        yield "magnet/accuracy_detector", float((rejected | (bare == labels)).mean())
        yield "magnet/accuracy_reformer", float((reformed == labels).mean())
        yield "magnet/accuracy_both", float((rejected | (reformed == labels)).mean())

    def _rejected(self, marks: Floats) -> Flags:
        # Not by the rejection logit: float32 loses a tiny excess that is added to a large logit.
        return np.asarray((marks >= np.array(self.thresholds, np.float32)).any(axis=1))

    def _judge(self, images: Images) -> tuple[Floats, Floats]:
        """Return logits of the reformed images `(n, classes)`, and the marks `(n, marks)`."""
        both = predict(self._judging_graph, images)
        cut = both.shape[1] - len(self.mark_names)
        return both[:, :cut], both[:, cut:]

    @cached_property
    def _judging_graph(self) -> keras.Model:
        image, logits, marks = self._tensors
        return keras.Model(image, ops.concatenate([logits, marks], axis=1))

    @cached_property
    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Symbolic image, logits of its reconstruction `(n, classes)` and marks `(n, marks)`."""
        image = keras.Input(self.classifier.input_shape[1:])
        reformer: keras.Model = self.autoencoder
        second: keras.Model = self.second
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


def build(parts: Parts, *, detectors: tuple[str, ...], rate: float) -> MagNet:
    """Return a classifier behind detectors and a reformer, with thresholds.

    Args:
        parts: the classifier, `magnet_1`, `magnet_2` where detector `l1` needs it, and held-out
            images for the thresholds: the last ones, where the paper holds out the first 5,000.
        detectors: names, of `MARKS`.
        rate: share of clean images that each detector may reject.
    """
    first, second = (*parts.autoencoders, None)[:2]
    assert parts.held_out is not None  # noqa: S101 -- the catalogue says that they are needed
    magnet = MagNet(parts.classifier, first, second=second, detectors=detectors)
    return magnet.calibrated(parts.held_out, rate)


def threshold(marks: Floats, rate: float) -> float:
    """Return the int(n * rate)-th largest of the marks of n clean images.

    Images whose mark is at least the threshold are rejected, so exactly that many are, ties aside.
    If none may be rejected, the threshold is the next float32 above the largest mark.
    """
    allowed = int(len(marks) * rate)
    if allowed == 0:  # index -0 would be the smallest mark
        return float(np.nextafter(marks.max(), np.float32(np.inf)))
    return float(np.sort(marks)[-allowed])


def divergence(one: Tensor, other: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of the softmaxes of two logits `(n, classes)`.

    `(n,)`, in nats, from 0 to log 2.
    """
    p, q = ops.softmax(one), ops.softmax(other)
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def _relative_entropy(p: Tensor, q: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of q from p, `(n,)`."""
    tiny = 1e-12  # keeps the logarithm finite where a probability has underflowed to 0
    return ops.sum(p * ops.log((p + tiny) / (q + tiny)), axis=-1)


def _mean_over_pixels(images: Tensor) -> Tensor:
    return ops.mean(images, axis=(1, 2, 3))
