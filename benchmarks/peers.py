"""Attacks compared with those of foolbox 3, ART and foolbox 1.8.

All attack the first paper's dense network, trained, on the first test images of MNIST. Seconds are
for `IMAGES` images; slow attacks get fewer images, and their time is scaled up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import foolbox1
from benchmarks.libraries import art, foolbox
from benchmarks.timing import Comparison, measured, seconds
from gauntlet.arrays import Images, Labels
from gauntlet.attacks.base import Attack, AttackResult
from gauntlet.attacks.threat_models import logits_of
from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.units import WHOLE_RANGE
from gauntlet.config.attack import AttackConfig
from gauntlet.config.training import ClassifierConfig
from gauntlet.data.registry import load

IMAGES, CLASSES = 1000, 10
STEPS, EPSILON, REL_STEP = 40, 0.1, 0.25


@dataclass(frozen=True)
class Target:
    """A trained network with images `(n, 28, 28, 1)` and labels, wrapped as each library wants."""

    model: keras.Model
    images: Images
    labels: Labels

    @cached_property
    def for_foolbox(self) -> Any:
        """The compiled network: foolbox is a fifth faster with it than as its manual shows."""
        compiled = tf.function(partial(self.model, training=False))
        return foolbox().TensorFlowModel(compiled, bounds=(0, 1), device="/CPU:0")

    @cached_property
    def for_art(self) -> Any:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return art().estimators.classification.TensorFlowV2Classifier(
            self.model, CLASSES, self.images.shape[1:], loss_object=loss, clip_values=(0.0, 1.0)
        )

    def first(self, n: int) -> Target:
        """Return the same network with the first n images."""
        return Target(self.model, self.images[:n], self.labels[:n])


Peer = Callable[[Target], float]
"""Function that attacks all images of a target and returns the seconds."""


def by_foolbox(name: str, epsilon: float | None = None, **options: Any) -> Peer:
    """Return an attack of foolbox 3; without an epsilon it looks for the nearest images."""

    def run(target: Target) -> float:
        attack = getattr(foolbox().attacks, name)(**options)
        x, y = tf.constant(target.images), tf.constant(target.labels)
        return seconds(lambda: attack(target.for_foolbox, x, y, epsilons=epsilon))

    return run


def by_hop_skip_jump(**options: Any) -> Peer:
    """Return foolbox's HopSkipJump, with starts: all its noise is of one class for this network.

    Each image starts from the first one that is predicted as another class than its own.
    """

    def run(target: Target) -> float:
        attack = foolbox().attacks.HopSkipJumpAttack(**options)
        predicted = np.argmax(target.model.predict(target.images, verbose=0), axis=1)
        starts = target.images[[int((predicted != y).argmax()) for y in target.labels]]
        x, y, start = map(tf.constant, (target.images, target.labels, starts))
        attacked = target.for_foolbox
        return seconds(lambda: attack(attacked, x, y, epsilons=None, starting_points=start))

    return run


def by_art(name: str, **options: Any) -> Peer:
    """Return an attack of ART."""

    def run(target: Target) -> float:
        evasion = art().attacks.evasion
        attack = getattr(evasion, name)(target.for_art, verbose=False, **options)
        return seconds(lambda: attack.generate(target.images, target.labels))

    return run


def by_art_in_turn(**options: Any) -> Peer:
    """Return ART's APGD towards each wrong class in turn, on the images that are left."""

    def run(target: Target) -> float:
        attack = art().attacks.evasion.AutoProjectedGradientDescent(
            target.for_art, verbose=False, targeted=True, **options
        )

        def in_turn() -> None:
            left, labels = target.images, target.labels
            for ahead in range(1, CLASSES):
                found = attack.generate(left, (labels + ahead) % CLASSES)
                stands = np.argmax(target.for_art.predict(found), axis=1) == labels
                left, labels = left[stands], labels[stands]
                if not len(left):
                    break

        return seconds(in_turn)

    return run


def by_foolbox1(name: str, **options: Any) -> Peer:
    """Return an attack of foolbox 1.8, which takes one image at a time."""

    def run(target: Target) -> float:
        weights = iter(target.model.get_weights())
        layers = list(zip(weights, weights, strict=True))  # kernel, bias, kernel, ...
        return foolbox1.attack(name, layers, target.images, target.labels, **options)[0].seconds

    return run


@dataclass(frozen=True)
class Duel:
    """One of our attacks against a peer's.

    Attributes:
        attack: name of ours in the catalogue.
        against: name of the peer in the table.
        peer: the peer's attack.
        wanted: least speed-up.
        options: parameters of ours.
        images: number of images that ours gets; its time is scaled to `IMAGES`.
        sample: number of images that the peer gets; its time is scaled too.
    """

    attack: str
    against: str
    peer: Peer
    wanted: str
    options: dict[str, Any] = field(default_factory=dict)
    images: int = IMAGES
    sample: int = IMAGES


ITERATED = {"steps": STEPS, "rel_step": REL_STEP}
FOOLBOX_ITERATED = {"epsilon": EPSILON, "steps": STEPS, "rel_stepsize": REL_STEP}
ART_ITERATED = {
    "eps": EPSILON,
    "eps_step": EPSILON * REL_STEP,
    "max_iter": STEPS,
    "batch_size": IMAGES,
}
ART_AUTO = {
    "eps": EPSILON,
    "eps_step": 2 * EPSILON,
    "max_iter": STEPS,
    "nb_random_init": 1,
    "batch_size": IMAGES,
    "loss_type": "cross_entropy",
}
FOOLBOX3 = {"deepfool_variant": "foolbox3", "deepfool_steps": 50}

DUELS = (
    Duel(
        "bim",
        "foolbox 3",
        by_foolbox("LinfBasicIterativeAttack", **FOOLBOX_ITERATED),
        ">= 1.15",
        ITERATED,
    ),
    Duel("bim", "ART", by_art("ProjectedGradientDescent", **ART_ITERATED), ">= 1.15", ITERATED),
    Duel(
        "pgd",
        "foolbox 3",
        by_foolbox("LinfPGD", **FOOLBOX_ITERATED),
        ">= 1.15",
        ITERATED | {"restarts": 1},
    ),
    Duel(
        "pgd",
        "ART",
        by_art("ProjectedGradientDescent", num_random_init=1, **ART_ITERATED),
        ">= 1.15",
        ITERATED | {"restarts": 1},
    ),
    Duel(
        "apgd_ce",
        "ART",
        by_art("AutoProjectedGradientDescent", **ART_AUTO),
        ">= 1.15",
        {"apgd_steps": STEPS},
    ),
    Duel("apgd_t", "ART", by_art_in_turn(**ART_AUTO), ">= 1.15", {"apgd_steps": STEPS}),
    Duel("deepfool_l2", "foolbox 3", by_foolbox("L2DeepFoolAttack", steps=50), ">= 5", FOOLBOX3),
    Duel(
        "deepfool_linf", "foolbox 3", by_foolbox("LinfDeepFoolAttack", steps=50), ">= 5", FOOLBOX3
    ),
    Duel(
        "deepfool_l2",
        "ART",
        by_art("DeepFool", max_iter=50, nb_grads=CLASSES, batch_size=IMAGES),
        ">= 5",
        {"deepfool_variant": "paper", "deepfool_steps": 50},
        sample=50,
    ),
    Duel(
        "cw_l2",
        "foolbox 3",
        by_foolbox(
            "L2CarliniWagnerAttack",
            binary_search_steps=2,
            steps=50,
            initial_const=0.01,
            abort_early=False,
        ),
        ">= 1.15",
        {"cw_searches": 2, "cw_steps": 50},
    ),
    Duel("fmn_linf", "foolbox 3", by_foolbox("LInfFMNAttack", steps=100), ">= 3"),
    Duel("fmn_l2", "foolbox 3", by_foolbox("L2FMNAttack", steps=100), ">= 3"),
    Duel("ddn", "foolbox 3", by_foolbox("DDNAttack", steps=100), ">= 3"),
    Duel(
        "hop_skip_jump_l2",
        "foolbox 3",
        by_hop_skip_jump(steps=10),
        ">= 5",
        {"hop_skip_jump_steps": 10},
        images=100,
        sample=100,
    ),
    Duel(
        "single_pixel",
        "foolbox 1.8",
        by_foolbox1("single_pixel", max_pixels=1000),
        ">= 50",
        {"max_pixels": 1000},
        sample=20,
    ),
    Duel(
        "local_search",
        "foolbox 1.8",
        by_foolbox1("local_search", R=150),
        ">= 5",
        {"local_search_rounds": 150, "local_search_selection": "lowest"},
        images=100,
        sample=10,
    ),
)


def run() -> Iterator[Comparison]:
    """Train the network, then measure every duel."""
    target = trained()
    for duel in DUELS:
        yield fight(duel, target)


@cache
def trained() -> Target:
    """Return the network after five epochs, with the first `IMAGES` test images."""
    mnist = load("mnist")
    config = ClassifierConfig(classifier_epochs=5)
    trained = config.training.run(mnist.x_train, mnist.y_train, CLASSES, lambda *_: None)
    return Target(trained.model, mnist.x_test, mnist.y_test).first(IMAGES)


def fight(duel: Duel, target: Target, rounds: int = 3) -> Comparison:
    """Measure a duel."""
    many, few = target.first(duel.images), target.first(duel.sample)
    return measured(
        f"{duel.attack}: faster than {duel.against}",
        lambda: seconds(lambda: ours(duel.attack, duel.options, many)) * IMAGES / duel.images,
        lambda: duel.peer(few) * IMAGES / duel.sample,
        duel.wanted,
        rounds,
    )


def ours(name: str, options: dict[str, Any], target: Target) -> AttackResult:
    """Run our attack at one budget; a minimum-norm attack gets one that accepts everything."""
    entry = ATTACKS[name]
    epsilon = WHOLE_RANGE if entry.finds_minimum else EPSILON
    attack: Attack = AttackConfig(**options).attack(entry).create()
    logits = logits_of(target.model)
    (result,) = attack(logits, target.images, target.labels, epsilons=[epsilon])
    return result
