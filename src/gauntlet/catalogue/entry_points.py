"""The entry points of the command line and of MLproject, in flow order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gauntlet.catalogue.components import Catalogue, Component


@dataclass(frozen=True, kw_only=True, eq=False)
class EntryPoint(Component):
    """An entry point; its code is a function that takes the config.

    Attributes:
        config: `module:class` of its config; that module imports nothing heavy.
        experiment: MLflow experiment of its runs.
        check: `module:function` that takes the config and checks it against data and store, before
            there is a run; it imports nothing heavy.
        example: a parameter and a value of it, to try the entry point with.
    """

    config: str
    experiment: str
    check: str = "gauntlet.data.subsets:check_local"
    example: tuple[str, str] = ("preset", "smoke")


_ATTACK = EntryPoint(
    name="attack",
    sentence="Attack one defended classifier and write down what is left of it",
    code="gauntlet.entry_points.attack:run",
    config="gauntlet.config.attack:AttackConfig",
    experiment="attacks",
)

ENTRY_POINTS = Catalogue(
    EntryPoint,
    "entry point",
    (
        EntryPoint(
            name="autoencoder",
            sentence="Train one autoencoder: first paper 4 and 5.3 to 5.5; second paper 3.2; "
            "MagNet's two",
            code="gauntlet.entry_points.autoencoder:run",
            config="gauntlet.config.training:AutoencoderConfig",
            experiment="autoencoders",
        ),
        EntryPoint(
            name="classifier",
            sentence="Train one classifier: on the images, or on the autoencoder's output or "
            "features of them",
            code="gauntlet.entry_points.classifier:run",
            config="gauntlet.config.training:ClassifierConfig",
            experiment="classifiers",
        ),
        _ATTACK,
        replace(_ATTACK, name="main"),
        EntryPoint(
            name="reproduce",
            sentence="Run all that a paper claims, compare, and write the report",
            code="gauntlet.entry_points.reproduce:run",
            config="gauntlet.papers.config:ReproduceConfig",
            experiment="reproductions",
        ),
        EntryPoint(
            name="tune",
            sentence="Search hyperparameters: a study whose trials are runs, judged by validation "
            "images alone",
            code="tuning.tune:run",
            config="tuning.config:TuneConfig",
            experiment="studies",
        ),
        EntryPoint(
            name="compare",
            sentence="Compare finished attack runs: differences with intervals and tests, figures, "
            "one page",
            code="gauntlet.entry_points.compare:run",
            config="gauntlet.config.compare:CompareConfig",
            experiment="comparisons",
            check="gauntlet.pipeline.compared_runs:check",
            example=("runs", "RUN_ID,RUN_ID"),
        ),
    ),
)
