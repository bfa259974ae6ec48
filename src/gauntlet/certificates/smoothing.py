"""How far in L2 the class of a smoothed classifier cannot change: CERTIFY of Cohen et al. (2019).

The class that a base classifier most probably gives to an image with noise N(0, sigma^2 I) is the
same everywhere within sigma * Phi^-1(p) of the image, where p > 1/2 is its probability (theorem 1).
The probability is not known. It is bounded from below by n draws, and the bound is too high with
probability alpha at most, for each image (section 3.2.2). What is certified is the smoothed
classifier itself, for which elsewhere the vote of fewer draws stands.

**Floating point.** The theorem is about real numbers. Images and noise are rounded to float32, and
an attacker who knows how could gain from it (Voráček and Hein, ICLR 2023). Nothing here rules that
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf
from scipy.stats import beta, norm

from gauntlet.arrays import Images, Predictions, Tensor
from gauntlet.certificates.proof import Proof, Question, slices
from gauntlet.defences.smoothing import SmoothedModel
from gauntlet.seeding import child_seed
from gauntlet.training.keras_loops import KEPT_MODELS

BLOCK = 100
"""Draws of one seed. A draw depends on its block and on its place there, so it is the same however
many blocks are classified at once."""

BLOCKS = 20
"""Blocks that are classified at once."""


def certify(question: Question, *, n0: int, n: int, alpha: float) -> Iterator[Proof]:
    """Yield a proof per image, with `radius` (L2), `predicted` class and whether it `abstained`.

    An image is proven within a budget if its predicted class is right and its radius is at least
    the budget (section 4).

    Args:
        question: of a smoothed defence; its budgets are in L2.
        n0, n, alpha: see `certified_radius`.
    """
    model, epsilons = question.defended, np.array(question.epsilons)
    assert isinstance(model, SmoothedModel)  # noqa: S101 -- the catalogue says that it must be
    for i, (image, label) in enumerate(zip(question.images, question.labels, strict=True)):
        seed = child_seed(question.seed, "image", str(i))
        predicted, radius = certified_radius(model, image[None], seed, n0=n0, n=n, alpha=alpha)
        proven = (predicted == label) & (radius > 0) & (radius >= epsilons)
        found = {"radius": radius, "predicted": predicted, "abstained": radius == 0}
        yield Proof(proven[:, None], {name: np.array([one]) for name, one in found.items()})


def certified_radius(
    model: SmoothedModel,
    image: Images,
    seed: int,
    *,
    n0: int,
    n: int,
    alpha: float,
    blocks: int = BLOCKS,
) -> tuple[int, float]:
    """Return the class of an image `(1, height, width, channels)`, and its radius in L2.

    The radius is 0 where it abstains, and otherwise above 0.

    Args:
        model: the smoothed classifier.
        image: one image.
        seed: of the draws.
        n0: draws that choose the class.
        n: further draws, which bound its probability.
        alpha: how probably the radius may be too large.
        blocks: how many blocks are classified at once; they change nothing.
    """
    first = classes_of_draws(model, image, n0, child_seed(seed, "choose"), blocks)
    chosen = int(np.bincount(first).argmax())
    others = classes_of_draws(model, image, n, child_seed(seed, "bound"), blocks)
    bound = lower_bound(int((others == chosen).sum()), n, alpha)
    return chosen, float(model.sigma * norm.ppf(max(bound, 0.5)))


def lower_bound(hits: int, n: int, alpha: float) -> float:
    """Return the one-sided bound of Clopper and Pearson below a probability.

    Args:
        hits: how many of n independent draws were hits.
        n: how many draws there were.
        alpha: how probably the bound may lie above the probability.
    """
    return float(beta.ppf(alpha, hits, n - hits + 1)) if hits else 0.0


def classes_of_draws(
    model: SmoothedModel, image: Images, n: int, seed: int, blocks: int = BLOCKS
) -> Predictions:
    """Return the base classifier's class of an image in each of n draws of noise, `(n,)`."""
    classify = _classify(model.behind, model.sigma)
    numbers = np.arange(-(-n // BLOCK), dtype=np.int32)
    found = [classify(image, seed, numbers[part]) for part in slices(len(numbers), blocks)]
    return np.concatenate(found)[:n]


@lru_cache(maxsize=KEPT_MODELS)
def _classify(behind: keras.Model, sigma: float) -> Callable[..., Tensor]:
    """Compile `(image, seed, numbers of blocks) -> class of each draw of these blocks`."""
    shape = behind.input_shape[1:]

    def classify(image: Tensor, seed: Tensor, numbers: Tensor) -> Tensor:
        def draw(number: Tensor) -> Tensor:
            return tf.random.stateless_normal((BLOCK, *shape), (seed, number), stddev=sigma)

        noise = tf.map_fn(draw, numbers, fn_output_signature=tf.float32)
        logits = behind(image + tf.reshape(noise, (-1, *shape)), training=False)
        return tf.argmax(logits, axis=1)

    specs = [((1, *shape), tf.float32), ((), tf.int32), ((None,), tf.int32)]
    signature = [tf.TensorSpec(*spec) for spec in specs]
    compiled: Callable[..., Tensor] = tf.function(
        classify, input_signature=signature, autograph=False
    )
    return compiled
