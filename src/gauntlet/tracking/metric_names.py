"""The vocabulary of the store: every metric that a run may hold; see `gauntlet.tracking.names`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gauntlet.catalogue.autoencoders import AUTOENCODERS
from gauntlet.catalogue.certificates import CERTIFICATES
from gauntlet.catalogue.classifiers import CLASSIFIERS
from gauntlet.catalogue.components import Catalogue, Component
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.catalogue.names import Name
from gauntlet.evaluation.quantities import LOGGED, ROBUST_ACCURACY, target_rate
from gauntlet.evaluation.quantity import Over, Unit
from gauntlet.tracking.names import CERTIFIED, IN_L2, Of, Vocabulary

SHARE, DIFFERENCE = Unit.SHARE, Unit.DIFFERENCE
PIXELS = "pixels in [0, 1]"
SQUARED = "mean squared error"
ONCE = "once, step 0"
RANDOM = "random defences"


def _interval(pattern: str, meaning: str, when: str = "") -> tuple[Name, ...]:
    """Return a share's names: its value, and the ends of its Wilson 95 % interval over images."""
    head, slash, tail = pattern.partition("/<")
    return (
        Name(pattern, meaning, SHARE, when),
        Name(f"{head}_low{slash}{tail}", "lower end of its 95 % interval", SHARE, when),
        Name(f"{head}_high{slash}{tail}", "upper end of its 95 % interval", SHARE, when),
    )


def _attacked() -> Iterator[Name]:
    """Yield the metrics of a cell at each of its budgets."""
    accuracy, target = ROBUST_ACCURACY, target_rate(0)
    yield from _interval(accuracy.metric, f"{accuracy.meaning}; over {accuracy.over}")
    yield Name("adv/accuracy_se", "its standard error over the judge's draws", SHARE, RANDOM)
    for quantity in LOGGED:
        when = "where an attack succeeded" if quantity.over is Over.SUCCESSES else ""
        yield Name(
            quantity.metric, f"{quantity.meaning}; over {quantity.over}", quantity.unit, when
        )
    yield Name(
        target.metric, f"{target.meaning}; over {target.over}", target.unit, "one-target attacks"
    )
    yield Name("adv/change_linf", "largest change of any pixel of any image", PIXELS)


def _own(*catalogues: Catalogue[Component]) -> Iterator[Name]:
    """Yield the metrics that single components log."""
    for catalogue in catalogues:
        for component in catalogue.values():
            for name in component.metrics:
                when = ", ".join(filter(None, (f"`{component.name}`", name.when)))
                yield replace(name, when=when)


TRAINED: tuple[Name, ...] = (
    Name("train/<measure>", "what the training reports of training images", "the measure's"),
    Name(
        "val/<measure>",
        "the same of held-out images",
        "the measure's",
        "`validation_size` above 0",
    ),
    *(name for name in _own(AUTOENCODERS, CLASSIFIERS) if not name.pattern.startswith("test/")),
)
EXAMINED: tuple[Name, ...] = (
    *_interval("clean/accuracy", "accuracy on test images", "classifiers"),
    Name("test/loss", "reconstruction loss", "the loss's", "autoencoders"),
    Name("test/mean_squared_error", "reconstruction error", SQUARED, "autoencoders"),
    Name(
        "test/mean_squared_error_at_best_scale",
        "the same, after each output is scaled to its image",
        SQUARED,
        "autoencoders",
    ),
    Name("autoencoder/output_mean", "mean of the reconstruction", PIXELS, "autoencoders"),
    Name("autoencoder/output_max", "largest value of it", PIXELS, "autoencoders"),
    *(
        replace(name, pattern=name.pattern.replace("<data>/", "test/"))
        for name in _own(AUTOENCODERS, CLASSIFIERS)
        if not name.pattern.startswith("train/")
    ),
)


def _of_a_trial() -> Iterator[Name]:
    """Yield what a trial logs of its trainings, and of their examination on held-out images."""
    yield from TRAINED
    yield Name(
        "classifier/<metric>",
        "a metric of the classifier's training",
        "the metric's",
        "attacked trials",
    )
    for name in EXAMINED:
        if not name.pattern.startswith("clean/"):
            yield replace(
                name,
                pattern=name.pattern.replace("test/", "validation/"),
                meaning=name.meaning.replace("test images", "held-out images"),
            )


METRICS: Vocabulary = {
    Of.EVERY: (
        Name(
            "system/<what>",
            "CPU, memory, disk, network and every GPU, sampled every 5 s",
            "MLflow's",
        ),
    ),
    Of.CELL: (
        *_interval("clean/accuracy", "accuracy without attack; a rejected image is an error", ONCE),
        Name("clean/accuracy_se", "its standard error over the judge's draws", SHARE, RANDOM),
        Name("perturbed/mean", "mean of what is perturbed: images, or AE(x)", PIXELS, ONCE),
        Name("perturbed/max", "largest value of what is perturbed", PIXELS, ONCE),
        *_attacked(),
        Name(
            "attack/epsilon",
            "the budget that the attack was given, in its norm, see `relative_budget`",
            PIXELS,
        ),
        Name("attack/gradient_calls", "gradients per image; each draw counts", "calls"),
        Name("attack/queries", "forward passes per image beside these; each draw counts", "calls"),
        Name(
            "attack/zero_gradients",
            "images at which the attack's first gradient is exactly zero, or no number",
            "images",
            "once, attacks that follow a gradient",
        ),
        Name(
            "attack/median_distance",
            "median distance at which correctly classified images fall, in the norm that the "
            "attack makes small; infinite (MLflow: 1.8e308) where over half of them withstand",
            PIXELS,
            "once, minimum-norm attacks in Linf or L2",
        ),
        *_own(DEFENCES),
    ),
    Of.CERTIFICATION: (
        *_interval("certified/accuracy", "images whose true class is proven"),
        *_own(CERTIFICATES),
    ),
    Of.ATTACK: (
        *_interval(
            "headline/robust_accuracy/<defence>",
            "the least number under threat models that perturb the image",
            ONCE,
        ),
        Name("headline/epsilon", "the budget of all these headlines of the run", PIXELS, ONCE),
        *_interval(
            "headline/robust_accuracy_l2/<defence>",
            "the same among attacks with L2 budgets",
            IN_L2,
        ),
        Name("headline/epsilon_l2", "the L2 budget of all these headlines", PIXELS, IN_L2),
        Name("clean/accuracy/<defence>", "accuracy without attack", SHARE, ONCE),
        Name(
            "worst_case/accuracy/<defence>/<threat model>",
            "images that survive every attack",
            SHARE,
        ),
        Name(
            "worst_case/accuracy_l2/<defence>/<threat model>",
            "images that survive every attack with L2 budgets",
            SHARE,
            IN_L2,
        ),
        Name(
            "certified/accuracy/<defence>",
            "images whose true class some certificate proves",
            SHARE,
            CERTIFIED,
        ),
        Name(
            "certified/accuracy_l2/<defence>",
            "the same within L2 budgets",
            SHARE,
            CERTIFIED,
        ),
    ),
    Of.TRAINING: TRAINED,
    Of.EXAMINATION: EXAMINED,
    Of.TRIAL: (
        *_of_a_trial(),
        Name("validation/clean_accuracy", "accuracy without attack", SHARE, "attacked trials"),
        Name("validation/robust_accuracy", "worst case over attacks", SHARE, "attacked trials"),
        Name("validation/robust_accuracy/<attack>", "one attack's", SHARE, "attacked trials"),
        Name("validation/zero_gradients/<attack>", "as `attack/zero_gradients`", "images"),
    ),
    Of.STUDY: (
        Name("best/validation/<objective>", "the winner on held-out images", "the objective's"),
        Name("best/test/<objective>", "the winner on test images", "the objective's"),
        Name("best/gap/<objective>", "the second minus the first", "the objective's"),
    ),
    Of.REPRODUCTION: (
        Name("claims/<verdict>", "claims with that verdict", "claims", "full-size runs"),
        Name("data/<measure>", "a number of the data set alone", "the measure's"),
    ),
    Of.COMPARISON: (
        Name(
            "difference/<threat model>/<attack>/<pair>",
            "robust accuracy of one (run, defence) minus another's",
            DIFFERENCE,
        ),
        Name("difference_low/<...>", "lower end of its 95 % interval", DIFFERENCE),
        Name("difference_high/<...>", "upper end of its 95 % interval", DIFFERENCE),
        Name("p_holm/<...>", "its McNemar p-value, corrected for all pairs (Holm)", "probability"),
    ),
}
