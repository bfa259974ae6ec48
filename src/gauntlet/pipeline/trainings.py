"""Trained networks: reused from the store, or trained into it, and measured on test images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gauntlet.arrays import Images
from gauntlet.catalogue.autoencoders import Autoencoder
from gauntlet.catalogue.classifiers import Classifier, Inputs
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.catalogue.parameters import Json, Values
from gauntlet.catalogue.trainings import Trainable, Training
from gauntlet.data.dataset import Dataset
from gauntlet.pipeline.examination import Measured, examine_once
from gauntlet.pipeline.reuse import Reuse
from gauntlet.pipeline.training_run import training_run
from gauntlet.tracking import names
from gauntlet.tracking.artifacts import StoredModel, loaded, stored_model
from gauntlet.tracking.recording import TrackedRun
from gauntlet.tracking.step_cache import Fingerprint
from gauntlet.training.outcome import Outcome

if TYPE_CHECKING:
    import keras

    from gauntlet.training.checkpoint import Checkpoint
    from gauntlet.training.keras_loops import EpochReport

ENCODING = "gauntlet.autoencoders.encoder"
"""Computes what a classifier learns from, unless that is the images themselves."""


Trained: TypeAlias = tuple[Outcome, Images]
"""Networks that were trained, and a few inputs as they take them."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A network in the store.

    Attributes:
        training: how it was trained.
        stored: where it lies.
        examination: id of the run that measured it on test images.
    """

    training: Training[Trainable]
    stored: StoredModel
    examination: str

    @property
    def layers(self) -> tuple[str, ...]:
        """Modules of the layers that it is made of."""
        entry: Trainable = self.training.entry
        return entry.layers

    def load(self) -> keras.Model:
        """Return it from the store."""
        return loaded(self.stored, self.layers)


def ensure_autoencoder(
    training: Training[Autoencoder], data: Dataset, *, entry: bool = False
) -> TrainedNetwork:
    """Return a trained autoencoder from the store; train it if it is missing.

    Args:
        training: the kind and how it is trained.
        data: training images, and the test images on which it is measured.
        entry: take over the run that `mlflow run` opened.
    """
    about = {**_about(data, training), "autoencoder": training.name}
    fingerprint = Fingerprint(
        "autoencoder",
        training.name,
        training.settings,
        {"training data": data.train_sha256},
        training.entry.modules,
    )
    name = f"{training.name} {data.name} seed {training.seed}"

    def train(report: EpochReport, checkpoint: Checkpoint, run: TrackedRun) -> Trained:
        del run
        return training.run(data.x_train, report, checkpoint), data.x_train[:5]

    compute = _computing("autoencoder", name, about, training, data, fingerprint, entry, train)
    stored = stored_model(Reuse().reuse_or_compute(fingerprint, compute))
    measured = Measured(training, data, lambda: data.with_all_test_images.x_test)
    return TrainedNetwork(training, stored, examine_once(name, stored, measured))


def ensure_classifier(
    training: Training[Classifier],
    inputs: Inputs,
    data: Dataset,
    before: TrainedNetwork | None = None,
    *,
    entry: bool = False,
) -> TrainedNetwork:
    """Return a trained classifier from the store; train it if it is missing.

    Args:
        training: the classifier and how it is trained.
        inputs: what it learns from.
        data: training images, and the test images on which it is measured.
        before: the autoencoder whose output or features it learns from; none: it learns from
            images.
        entry: take over the run that `mlflow run` opened.
    """
    typed = training.entry.typed
    about = {**_about(data, training), "classifier": typed, "train_on": inputs}
    encoding = (ENCODING, *before.layers) if before else ()
    read = {"autoencoder": before.stored.weights_sha256} if before else {}
    fingerprint = Fingerprint(
        "classifier",
        _subject(training, inputs),
        {**training.settings, "train_on": inputs},
        {"training data": data.train_sha256, **read},
        (*training.entry.modules, *encoding),
    )
    name = f"{typed} on {inputs} {data.name} seed {training.seed}"

    def train(report: EpochReport, checkpoint: Checkpoint, run: TrackedRun) -> Trained:
        if before:
            run.uses_models([before.stored.model_id])
            run.tags({names.input_tag("autoencoder"): before.stored.run_id})
        seen = _seen(inputs, before, data.x_train)
        given = seen, data.y_train, data.n_classes, report, checkpoint
        return training.run(*given), seen[:5]

    compute = _computing("classifier", name, about, training, data, fingerprint, entry, train)
    stored = stored_model(Reuse().reuse_or_compute(fingerprint, compute))

    def tested() -> Images:
        return _seen(inputs, before, data.with_all_test_images.x_test)

    measured = Measured(training, data, tested, encoding, read)
    return TrainedNetwork(training, stored, examine_once(name, stored, measured))


def _computing(
    entry_point: str,
    name: str,
    about: Values,
    training: Training[Trainable],
    data: Dataset,
    fingerprint: Fingerprint,
    entry: bool,
    train: Callable[[EpochReport, Checkpoint, TrackedRun], Trained],
) -> Callable[[], None]:
    """Return what trains in a run of its own; `train` gives the networks and an example input."""

    def compute() -> None:
        experiment = ENTRY_POINTS[entry_point].experiment
        opened = training_run(experiment, name, about, training.reports, data, fingerprint, entry)
        with opened as open_run:
            open_run.finish(*train(open_run.report, open_run.checkpoint, open_run.run))

    return compute


def _seen(inputs: Inputs, before: TrainedNetwork | None, images: Images) -> Images:
    """Return what a classifier sees of images."""
    if before is None:
        return images
    from gauntlet.autoencoders.encoder import seen_by

    return seen_by(inputs, before.load(), images)


def _about(data: Dataset, training: Training[Trainable]) -> Json:
    """Return what is logged of a training: the data, and every parameter that it reads."""
    read = {
        p.name: p.adapter.dump_python(training.values[p.name], mode="json")
        for p in training.entry.all_parameters
    }
    sizes = {"dataset": data.name, "train_size": len(data.x_train)}
    return {**sizes, "seed": training.seed, **read}


def _subject(training: Training[Classifier], inputs: Inputs) -> str:
    # With its seed: an attack run also trains the attacker's own network, from another one.
    seed = f", seed {training.seed}" if training.entry.seeded else ""
    return f"{training.entry.typed} on {inputs}{seed}"
