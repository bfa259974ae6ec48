"""The vocabulary of the store: every tag, parameter and artifact that a run may hold.

Metrics fill `metric_names`. Whoever writes or reads a tag takes its constant from here. Metrics and
artifacts are written where they are made, some of them in rooms that know nothing of the store;
tests compare what the code names, and what real runs hold, with these tables. The manual's pages
are made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gauntlet.catalogue.names import Name

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
CERTIFICATE = "gauntlet.certificate"
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
    CERTIFICATION = "a certification"
    ATTACK = "an attack run"
    TRAINING = "a training"
    EXAMINATION = "an examination"
    STUDY = "a study"
    TRIAL = "a trial"
    REPRODUCTION = "a reproduction"
    COMPARISON = "a comparison"


Vocabulary = Mapping[Of, tuple[Name, ...]]

IN_L2 = "attacks with L2 budgets"
OR_SMALL_IN_L2 = f"{IN_L2}, or small in L2"
CERTIFIED = "with `certificates`"

TAGS: Vocabulary = {
    Of.EVERY: (
        Name(
            STEP,
            "what made the run: an entry point, `cell`, `certification`, `examination`, or `reuse`",
        ),
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
    Of.CERTIFICATION: (
        Name(DEFENCE, "defence"),
        Name(CERTIFICATE, "certificate"),
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
        Name(
            "cell.json",
            "the budget's unit and norm, whether it is kept, the norm of distances, costs",
        ),
        Name(
            "examples.npz",
            "of each image: class, predictions without and with attack, change, distance",
        ),
        Name("confusion_matrices.json", "the three matrices of each budget"),
        Name("confusion_matrices.png", "those of the budget that the tables show"),
        Name("classification_report.txt", "precision, recall and F1 of each class under attack"),
        Name("accuracy_epsilon.png", "robust accuracy against the budget"),
        Name("images.png", "images, what was made of them, and what the classifier sees"),
    ),
    Of.CERTIFICATION: (
        Name("proofs.npz", "of each image: class, whether it is proven at each budget, and more"),
    ),
    Of.ATTACK: (
        Name("cells.json", "run id of each cell"),
        Name("certifications.json", "run id of each certification", when=CERTIFIED),
        Name("bracket_<defence>.png", "certified and robust accuracy", when=CERTIFIED),
        Name("summary.<format>", PAGE),
        Name("tables/<table>", TABLES),
        Name("curves/<defence>_<threat model>.png", "robust accuracy against the budget"),
        Name("worst_case.png", "worst case over attacks against the budget"),
        Name("costs.png", "robust accuracy that each attack leaves against what it takes"),
        Name("curves/<defence>_<threat model>_l2.png", "changes in L2", when=OR_SMALL_IN_L2),
        Name("worst_case_l2.png", "worst case over attacks with L2 budgets", when=IN_L2),
        Name("costs_l2.png", "costs of the attacks with L2 budgets", when=IN_L2),
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
    Of.CERTIFICATION: (Name("certification/<part>", "defence and certificate"),),
    Of.TRIAL: (Name("trial/<dimension>", "what the study drew"),),
}
