"""The vocabulary of the store: every metric, tag, parameter and artifact that a run may hold.

Whoever writes or reads a tag takes its constant from here. Metrics and artifacts are written where
they are made, some of them in rooms that know nothing of the store; tests compare what the code
names, and what real runs hold, with these tables. The manual's pages are made of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum

from gauntlet.catalogue.autoencoders import AUTOENCODERS
from gauntlet.catalogue.classifiers import CLASSIFIERS
from gauntlet.catalogue.components import Catalogue, Component
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.catalogue.names import Name
from gauntlet.evaluation.quantities import LOGGED, ROBUST_ACCURACY, target_rate
from gauntlet.evaluation.quantity import Over, Unit

STEP = "gauntlet.step"
SUBJECT = "gauntlet.subject"
FINGERPRINT = "gauntlet.fingerprint"
FINGERPRINT_PARTS = "gauntlet.fingerprint_parts"
SEED = "gauntlet.seed"
DEVICE = "gauntlet.device"
DATASET = "gauntlet.dataset"
DATASET_SHA256 = "gauntlet.dataset_sha256"
DEFENCE = "gauntlet.defence"
THREAT_MODEL = "gauntlet.threat_model"
ATTACK = "gauntlet.attack"
MODEL_ID = "gauntlet.model_id"
MODEL_FILE_SHA256 = "gauntlet.model_file_sha256"
WEIGHTS_SHA256 = "gauntlet.weights_sha256"
RESUMED_FROM = "gauntlet.resumed_from"
PAPER = "gauntlet.paper"
STUDY = "gauntlet.study"
TRIAL = "gauntlet.trial"
BEST_TRIAL = "gauntlet.best_trial"
GIT_COMMIT = "gauntlet.git_commit"
GIT_DIRTY = "gauntlet.git_dirty"
SEAL = "gauntlet.seal"
ERROR = "gauntlet.error"


def input_tag(part: str) -> str:
    """Return the tag that holds the id of the run that made an input."""
    return f"gauntlet.input.{part}"


class Of(StrEnum):
    """Kinds of runs."""

    EVERY = "every run"
    CELL = "a cell"
    ATTACK = "an attack run"
    TRAINING = "a training"
    EXAMINATION = "an examination"
    STUDY = "a study"
    TRIAL = "a trial"
    REPRODUCTION = "a reproduction"
    COMPARISON = "a comparison"


Vocabulary = Mapping[Of, tuple[Name, ...]]

SHARE, DIFFERENCE = Unit.SHARE, Unit.DIFFERENCE
PIXELS = "pixels in [0, 1]"
SQUARED = "mean squared error"
ONCE = "once, step 0"
RANDOM = "random defences"
LAST = "last epoch"


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
            "attack/epsilon", "the budget that the attack was given, see `relative_budget`", PIXELS
        ),
        Name("attack/gradient_calls", "gradients per image; each draw counts", "calls"),
        Name("attack/queries", "forward passes per image beside these; each draw counts", "calls"),
        Name(
            "attack/zero_gradients",
            "images at which the attack's first gradient is exactly zero, or no number",
            "images",
            "once, attacks that follow a gradient",
        ),
        *_own(DEFENCES),
    ),
    Of.ATTACK: (
        *_interval(
            "headline/robust_accuracy/<defence>",
            "the least number under threat models that perturb the image",
            ONCE,
        ),
        Name("headline/epsilon", "the budget of all headlines of the run", PIXELS, ONCE),
        Name("clean/accuracy/<defence>", "accuracy without attack", SHARE, ONCE),
        Name(
            "worst_case/accuracy/<defence>/<threat model>",
            "images that survive every attack",
            SHARE,
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

TAGS: Vocabulary = {
    Of.EVERY: (
        Name(STEP, "what made the run: an entry point, `cell`, `examination`, or `reuse`"),
        Name(SEED, "root of all random numbers", when="unless nothing is drawn"),
        Name(DEVICE, "what computed: the CPU, or each GPU", when="runs that compute"),
        Name(DATASET, "name of the data set"),
        Name(DATASET_SHA256, "digest of the arrays that the run used"),
        Name(GIT_COMMIT, "commit of the sources"),
        Name(GIT_DIRTY, "whether the sources differ from that commit"),
        Name(input_tag("<part>"), "id of the run that made an input"),
        Name(SUBJECT, "what the step is about", when="reusable steps"),
        Name(FINGERPRINT, "digest of all that decides the result", when="reusable steps"),
        Name(FINGERPRINT_PARTS, "its parts, as JSON", when="reusable steps"),
        Name(SEAL, "digest of `seal.json`", when="finished runs"),
        Name(ERROR, "the error that ended it", when="failed runs"),
    ),
    Of.TRAINING: (
        Name(MODEL_ID, "the logged model"),
        Name(MODEL_FILE_SHA256, "digest of its file"),
        Name(WEIGHTS_SHA256, "digest of its weights"),
        Name(RESUMED_FROM, "the interrupted run that it went on from", when="resumed trainings"),
    ),
    Of.CELL: (
        Name(DEFENCE, "defence"),
        Name(THREAT_MODEL, "threat model"),
        Name(ATTACK, "attack"),
    ),
    Of.STUDY: (
        Name(STUDY, "name of the study"),
        Name(BEST_TRIAL, "number of the winner"),
    ),
    Of.TRIAL: (
        Name(STUDY, "name of its study"),
        Name(TRIAL, "its number in the study"),
    ),
    Of.REPRODUCTION: (Name(PAPER, "the paper"),),
}

PAGE = "the report, for a browser and for MLflow's viewer"
TABLES = "each table of the report"
FIGURES = "each figure of the report"

PLANE = "`variational` with `latent=2`"

ARTIFACTS: Vocabulary = {
    Of.EVERY: (
        Name("config.json", "resolved configuration, without secrets"),
        Name("environment.txt", "versions of Python and of every package"),
        Name("seal.json", "digest of each artifact; tags, parameters and metrics as logged"),
        Name("traceback.txt", "where it failed", when="failed runs"),
    ),
    Of.CELL: (
        Name("cell.json", "whether the attack keeps its budget, and the budget's unit"),
        Name("examples.npz", "of each image: class, clean and attacked prediction, change"),
        Name("confusion_matrices.json", "the three matrices of each budget"),
        Name("confusion_matrices.png", "those of the budget that the tables show"),
        Name("classification_report.txt", "precision, recall and F1 of each class under attack"),
        Name("accuracy_epsilon.png", "robust accuracy against the budget"),
        Name("images.png", "images, what was made of them, and what the classifier sees"),
    ),
    Of.ATTACK: (
        Name("cells.json", "run id of each cell"),
        Name("summary.<format>", PAGE),
        Name("tables/<table>", TABLES),
        Name("curves/<defence>_<threat model>.png", "robust accuracy against the budget"),
        Name("worst_case.png", "worst case over attacks against the budget"),
    ),
    Of.TRAINING: (
        Name("learning_curve.png", "metrics by epoch", when="trainings by epochs"),
        Name("<network>.keras", "a network that was trained beside the model", when="`funn`"),
    ),
    Of.EXAMINATION: (
        Name("images.png", "test images and reconstructions", when="autoencoders"),
        Name("confusion_matrix.json", "true class against prediction", when="classifiers"),
        Name("confusion_matrix.png", "the same, drawn", when="classifiers"),
        Name("classification_report.txt", "precision, recall and F1", when="classifiers"),
        Name("latent_space.png", "codes of test images", when=PLANE),
        Name("manifold.png", "what the plane of codes decodes to", when=PLANE),
    ),
    Of.STUDY: (
        Name("space.json", "the search space"),
        Name("trials.csv", "every trial"),
        Name("trials.json", "the same, which MLflow shows as a table"),
        Name("best.yaml", "what the winner gives its entry point"),
        Name("reproduce.txt", "the command that makes the winner again"),
        Name("study.<format>", PAGE),
        Name("tables/<table>", TABLES),
        Name("figures/<figure>", FIGURES),
    ),
    Of.REPRODUCTION: (
        Name("matrix.json", "run ids of all that was measured"),
        Name("report.<format>", PAGE),
        Name("tables/<table>", TABLES),
        Name("figures/<figure>", FIGURES),
    ),
    Of.COMPARISON: (
        Name("compare.<format>", PAGE),
        Name("tables/<table>", TABLES),
        Name("figures/<figure>", FIGURES),
    ),
}

PARAMETERS: Vocabulary = {
    Of.EVERY: (Name("config/<parameter>", "a resolved parameter of the run"),),
    Of.CELL: (Name("cell/<part>", "defence, threat model and attack of the cell"),),
    Of.TRIAL: (Name("trial/<dimension>", "what the study drew"),),
}
