"""The classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from gauntlet.catalogue.autoencoders import ACTIVATION, WIDTHS
from gauntlet.catalogue.components import Catalogue
from gauntlet.catalogue.parameters import AUTO, Parameter, Value, integer, or_auto, real
from gauntlet.catalogue.trainings import (
    BATCH_SIZE_TYPE,
    EPOCHS_TYPE,
    RATE_TYPE,
    VALIDATION_SIZE,
    Trainable,
)

Inputs = Literal["raw", "encoded", "features", "noisy"]
"""What a classifier learns from: images, an autoencoder's output or its features of them, or images
with fresh Gaussian noise in every epoch."""

ON_IMAGES: tuple[Inputs, ...] = ("raw", "encoded")
BEHIND_AUTOENCODER: tuple[Inputs, ...] = ("encoded", "features")


class Schedule(NamedTuple):
    """How long and how fast a network learns."""

    epochs: int
    batch_size: int
    learning_rate: float


class Takes(NamedTuple):
    """The images that a network with given weights takes.

    Attributes:
        shape: `(height, width, channels)`.
        classes: how many logits it has.
    """

    shape: tuple[int, ...]
    classes: int

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape))} images of {self.classes} classes"


CLASSIFIER_EPOCHS = Parameter(
    "classifier_epochs",
    or_auto(EPOCHS_TYPE),
    AUTO,
    "auto: as published; dense: as the autoencoder",
)
CLASSIFIER_BATCH_SIZE = Parameter(
    "classifier_batch_size",
    or_auto(BATCH_SIZE_TYPE),
    AUTO,
    "auto: as published; dense: as the autoencoder",
)
CLASSIFIER_RATE = Parameter(
    "classifier_rate",
    or_auto(RATE_TYPE),
    AUTO,
    "auto: as published; dense: as the autoencoder",
)
HEAD_UNITS = Parameter(
    "head_units", integer(1, 65536), 64, "hidden units of a dense classifier on features"
)
SMOOTHING_SIGMA = Parameter(
    "smoothing_sigma",
    real(above=0, at_most=1),
    0.25,
    "smoothing, denoised_smoothing: standard deviation of the Gaussian noise on pixels in [0, 1]; "
    "the classifier of smoothing learns with it",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier(Trainable):
    """A classifier of images, or of an autoencoder's features of them.

    Attributes:
        typed: what `--classifier` says for it; one word may stand for a network on images and
            another one on features.
        inputs: what it can learn from.
        published: its schedule; None: that of the autoencoder.
        takes: the only images that it takes; None: any.
    """

    trainer: str = "gauntlet.classifiers.training:train"
    examiner: str = "gauntlet.examination.classifier:examine"
    typed: str
    inputs: tuple[Inputs, ...] = ON_IMAGES
    published: Schedule | None = None
    takes: Takes | None = None


_PLAIN: dict[str, Value] = {
    "epochs": CLASSIFIER_EPOCHS,
    "batch_size": CLASSIFIER_BATCH_SIZE,
    "learning_rate": CLASSIFIER_RATE,
    "validation_size": VALIDATION_SIZE,
}

_NOISY: dict[str, Value] = {
    "inputs": ("noisy",),
    "training": {**_PLAIN, "noise": SMOOTHING_SIGMA},
}
_DENSE: dict[str, Value] = {
    "typed": "dense",
    "code": "gauntlet.classifiers.dense:build",
    "parameters": {"widths": WIDTHS, "activation": ACTIVATION},
    "nonlinear": lambda values: (values[ACTIVATION.name],),
}
_CONVOLUTIONAL: dict[str, Value] = {
    "typed": "convolutional",
    "code": "gauntlet.classifiers.convolutional:build",
    "nonlinear": lambda _: ("relu", "max pooling"),
    "training_fixed": {"optimizer": "momentum"},
    "published": Schedule(50, 128, 0.01),
}
_WONG: dict[str, Value] = {
    "source": "Wong and Kolter 2018",
    "code": "gauntlet.classifiers.published:wong2018",
    "nonlinear": lambda _: ("relu",),
    "trainer": "gauntlet.classifiers.published:train",
    "training_fixed": {"epochs": 0, "validation_size": 0},
    "seeded": False,
    "inputs": ("raw",),
    "takes": Takes((28, 28, 1), 10),
}

CLASSIFIERS = Catalogue(
    Classifier,
    "classifier",
    (
        Classifier(
            name="dense",
            sentence="the autoencoder's encoder, then the classes: 784-504-28-10",
            source="first paper, section 5.2.2",
            training=_PLAIN,
            **_DENSE,
        ),
        Classifier(
            name="noisy_dense",
            sentence="dense, which learns from images with Gaussian noise",
            source="first paper, section 5.2.2; Cohen et al. 2019, section 3.3",
            **_NOISY,
            **_DENSE,
        ),
        Classifier(
            name="convolutional",
            sentence="two convolutional blocks and two hidden layers",
            source="Carlini and Wagner 2017, tables I and II",
            training=_PLAIN,
            **_CONVOLUTIONAL,
        ),
        Classifier(
            name="noisy_convolutional",
            sentence="convolutional, which learns from images with Gaussian noise",
            source="Carlini and Wagner 2017, tables I and II; Cohen et al. 2019, section 3.3",
            **_NOISY,
            **_CONVOLUTIONAL,
        ),
        Classifier(
            name="logistic_regression",
            typed="logistic_regression",
            sentence="multinomial logistic regression on grey levels, without intercept",
            source="first paper, section 5.2.1",
            code="gauntlet.classifiers.logistic_regression:as_frozen_dense",
            trainer="gauntlet.classifiers.logistic_regression:train",
            training={"validation_size": VALIDATION_SIZE},
            # scikit-learn's default, with which the published regression stops.
            training_fixed={"epochs": 100},
            seeded=False,  # lbfgs starts from zero
        ),
        Classifier(
            name="head",
            typed="dense",
            sentence="one hidden layer on an autoencoder's features",
            source="second paper, section 4.1",
            code="gauntlet.classifiers.head:build",
            parameters={"units": HEAD_UNITS},
            nonlinear=lambda _: ("relu",),
            training=_PLAIN,
            inputs=("features",),
            published=Schedule(20, 128, 1e-3),
        ),
        Classifier(
            name="wong2018",
            typed="wong2018",
            sentence="two convolutions and two dense layers, trained so that Linf 0.1 is certified "
            "on MNIST; the authors' weights",
            fixed={
                "weights": "mnist_wong2018.npz",
                "sha256": "60689de2ce81f549cf82ec9d7137aaa165aff093a58118d676eab502204c81ae",
            },
            **_WONG,
        ),
        Classifier(
            name="wong2018_fashion",
            typed="wong2018_fashion",
            sentence="the same for Fashion-MNIST",
            fixed={
                "weights": "fashion_mnist_wong2018.npz",
                "sha256": "148ac334d15fcbe64df1aa5200c68b8be3cf15fedf0e3b865f4e8f5800304962",
            },
            **_WONG,
        ),
    ),
)


def typed_names() -> tuple[str, ...]:
    """Return what `--classifier` may say."""
    return tuple(dict.fromkeys(entry.typed for entry in CLASSIFIERS.values()))


def classifier_on(typed: str, inputs: Inputs) -> Classifier | None:
    """Return the classifier that a word stands for on these inputs, if there is one."""
    fitting = (c for c in CLASSIFIERS.values() if c.typed == typed and inputs in c.inputs)
    return next(fitting, None)
