"""The networks of a run: its autoencoder, those of defences with their own, its classifiers."""

from __future__ import annotations

from gauntlet.catalogue.autoencoders import AUTOENCODERS, Autoencoder
from gauntlet.catalogue.classifiers import (
    CLASSIFIERS,
    Classifier,
    Inputs,
    Schedule,
    Takes,
    classifier_on,
    typed_names,
)
from gauntlet.catalogue.parameters import AUTO, Parameter, Value, Values, one_of
from gauntlet.catalogue.trainings import (
    BATCH_SIZE,
    EPOCHS,
    LEARNING_RATE,
    VALIDATION_SIZE,
    Training,
)
from gauntlet.config.data import RunConfig, data_parameters
from gauntlet.seeding import child_seed

DEFAULT_KIND = "vanilla"


def autoencoder_parameters() -> tuple[Parameter, ...]:
    """Return the parameters of autoencoders: how they train, the kind, what kinds read."""
    kind = Parameter("autoencoder", one_of(AUTOENCODERS), DEFAULT_KIND, "kind of autoencoder")
    training = (EPOCHS, BATCH_SIZE, LEARNING_RATE, VALIDATION_SIZE)
    own = (p for p in AUTOENCODERS.parameters if p not in training)
    return *training, kind, *own


def classifier_parameters() -> tuple[Parameter, ...]:
    """Return the parameters of classifiers that autoencoders do not have."""
    kind = Parameter("classifier", one_of(typed_names()), "dense", "kind of classifier")
    shared = autoencoder_parameters()
    return kind, *(p for p in CLASSIFIERS.parameters if p not in shared)


class NetworksConfig(RunConfig):
    """The config of an entry point that trains networks."""

    @classmethod
    def declare(cls) -> tuple[Parameter, ...]:
        """Return the parameters of data, autoencoders and classifiers."""
        return *data_parameters(), *autoencoder_parameters(), *classifier_parameters()

    @classmethod
    def preset_values(cls, values: Values) -> Values:
        """Return what the preset says of the data and of this kind of autoencoder."""
        kind = values.get("autoencoder", DEFAULT_KIND)
        return {**super().preset_values(values), **training_of(kind, values)}

    def check(self) -> None:
        """Check the parameters of the run's autoencoder against each other."""
        super().check()
        if self.trains_autoencoder:
            training = self.autoencoder()
            training.entry.rule(training.values)

    @property
    def trains_autoencoder(self) -> bool:
        """Whether anything reads the parameters of the run's autoencoder."""
        return True

    @property
    def held_out_sizes(self) -> tuple[int, ...]:
        """How many of the last training images some training does not learn from, where any."""
        size = int(self[VALIDATION_SIZE.name])
        return (size,) if size else ()

    @property
    def takes(self) -> Takes | None:
        """The only images that its classifier takes; None: any, or there is no classifier."""
        typed = self.values.get("classifier")
        found = [entry.takes for entry in CLASSIFIERS.values() if entry.typed == typed]
        return next(filter(None, found), None)

    def autoencoder(self, kind: str | None = None) -> Training[Autoencoder]:
        """Return how the run's autoencoder is trained, or one of another kind.

        What was not given is as the kind has it.
        """
        entry = AUTOENCODERS[kind or self["autoencoder"]]
        values = self._as_for(entry.name)
        read = {p.name: values[p.name] for p in entry.all_parameters}
        return Training(entry, read, self.seed)

    def classifier(self, inputs: Inputs, *path: str) -> Training[Classifier]:
        """Return how a classifier is trained.

        Args:
            inputs: what it learns from.
            path: of a child seed; none for the run's own seed.
        """
        entry = classifier_on(self["classifier"], inputs)
        assert entry is not None  # noqa: S101 -- checked where inputs are asked for
        given = self.given_among(self.parameters())
        # A classifier holds out no images unless it is told to, so it learns from the same images
        # whichever autoencoder stands before it.
        values = {**self.values, VALIDATION_SIZE.name: given.get(VALIDATION_SIZE.name, 0)}
        values |= _scheduled(entry, self.values)
        read = {p.name: values[p.name] for p in entry.all_parameters}
        seed = child_seed(self.seed, *path) if path else self.seed
        return Training(entry, read, seed)

    def _as_for(self, kind: str) -> Values:
        if kind == self["autoencoder"]:
            return self.values
        return self.resolved({**self.given_among(self.values), "autoencoder": kind})


def training_of(kind: str, values: Values) -> Values:
    """Return what the preset says of the training of a kind of autoencoder.

    What only others read is as they have it: every parameter has a value.
    """
    preset = values.get("preset", "paper")
    found: dict[str, Value] = {}
    for name in (*AUTOENCODERS, kind):
        found |= AUTOENCODERS[name].presets[preset]
    return found


def _scheduled(entry: Classifier, values: Values) -> dict[str, Value]:
    """Return a classifier's schedule, where `auto` is as published or as the autoencoder's."""
    published = entry.published or Schedule(
        values["epochs"], values["batch_size"], values["learning_rate"]
    )
    return {
        parameter.name: getattr(published, argument)
        for argument, parameter in entry.training.items()
        if argument in Schedule._fields and values[parameter.name] == AUTO
    }


def check_classifier(config: NetworksConfig, inputs: Inputs) -> None:
    """Check that the run's classifier can learn from these inputs.

    Raises:
        ValueError: the classifier wants others, or the autoencoder has no features.
    """
    if classifier_on(config["classifier"], inputs) is None:
        fitting = [c.typed for c in CLASSIFIERS.values() if inputs in c.inputs]
        raise ValueError(
            f"--classifier: expected {' or '.join(fitting)} on {inputs}; received "
            f"{config['classifier']!r}"
        )
    if inputs == "features" and not AUTOENCODERS[config["autoencoder"]].has_code:
        kinds = [name for name, entry in AUTOENCODERS.items() if entry.has_code]
        raise ValueError(
            f"--autoencoder: expected one that has features, {', '.join(kinds)}; received "
            f"{config['autoencoder']!r}"
        )
