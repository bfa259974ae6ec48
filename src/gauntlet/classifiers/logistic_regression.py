"""The first paper's multinomial logistic regression (section 5.2.1), as scikit-learn fits it.

It sees raw grey levels 0..255 and has no intercept; afterwards it lives on as a frozen `Dense` over
[0, 1] images, so that every attack works on it.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from gauntlet.arrays import Images, Labels
from gauntlet.catalogue.classifiers import Classifier
from gauntlet.catalogue.trainings import Training
from gauntlet.catalogue.units import GREY_LEVELS
from gauntlet.errors import GauntletError
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport
from gauntlet.training.outcome import Outcome

WHITE = GREY_LEVELS.per_range


class _EachIteration:
    """scikit-learn's `FitCallback`: one report per lbfgs iteration."""

    def __init__(self, report: EpochReport) -> None:
        self._report = report
        self._done = 0

    def setup(self, estimator: Any, context: Any) -> None:
        """Do nothing before the fit."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing after it."""

    def on_fit_task_begin(self, estimator: Any, context: Any, **_: Any) -> None:
        """Do nothing before an iteration."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, X: Any = None, **_: Any) -> bool:  # noqa: N803
        """Report an iteration; scikit-learn also ends one that never ran, without data."""
        del estimator
        if context.task_name == "lbfgs-iter" and X is not None:
            self._done += 1
            self._report(self._done, {})
        return False


def train(
    training: Training[Classifier],
    images: Images,
    labels: Labels,
    n_classes: int,
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
    *,
    epochs: int,
    validation_size: int,
) -> Outcome:
    """Fit on all but the last `validation_size` images.

    Args:
        training: names the code that makes a Keras model of the fitted weights.
        images: `(n, height, width, channels)` in [0, 1].
        labels: `(n,)`.
        n_classes: how many logits.
        report: called after every iteration of lbfgs; there is no loss to tell.
        checkpoint: unused; a fit takes seconds to minutes and starts anew.
        epochs: most iterations of lbfgs.
        validation_size: how many of the last images are held out.

    Raises:
        GauntletError: a class has no image to learn from.
    """
    del checkpoint
    cut = len(images) - validation_size
    _check_classes(labels[:cut], n_classes)
    # Multiplied in float32, k / 255 gives back the integer k; in float64 it would not, and where
    # lbfgs stands after 100 iterations depends on the last bit.
    grey = (images[:cut].reshape(cut, -1) * np.float32(WHITE)).astype(np.float64)
    regression = LogisticRegression(fit_intercept=False, solver="lbfgs", max_iter=epochs)
    regression.set_callbacks(_EachIteration(report))
    with warnings.catch_warnings():
        # 100 iterations do not converge on MNIST; the published model stops there all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(grey, labels[:cut])
    return Outcome(training.create(regression.coef_, images.shape[1:]))


def _check_classes(labels: Labels, n_classes: int) -> None:
    """Refuse labels `(n,)` that lack a class: scikit-learn would give it no row of weights.

    A row of zeros cannot stand in: without an intercept it would win wherever all others are below.
    """
    missing = np.setdiff1d(np.arange(n_classes), labels)
    if len(missing):
        raise GauntletError(
            f"logistic_regression: expected an image of each of {n_classes} classes among the "
            f"first {len(labels)} training images; received none of class "
            f"{', '.join(map(str, missing))}: take more images."
        )


def as_frozen_dense(coef: NDArray[np.float64], image_shape: tuple[int, ...]) -> keras.Model:
    """Return a model from [0, 1] images to logits with weights `(classes, pixels)` per grey level.

    scikit-learn gives two classes one row, the logit of the second; the first one's is then 0.
    """
    rows = coef if len(coef) > 1 else np.concatenate([np.zeros_like(coef), coef])
    image = keras.Input(image_shape, name="image")
    logits = layers.Dense(len(rows), use_bias=False, trainable=False, name="logits")
    model = keras.Model(image, logits(layers.Flatten()(image)), name="logistic_regression")
    weights = (rows.T * WHITE).reshape(math.prod(image_shape), len(rows))
    logits.set_weights([weights.astype(np.float32)])
    return model
