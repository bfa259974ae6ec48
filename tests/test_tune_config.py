"""Studies as configs: spaces, objectives, what a trial is, and what is refused."""

from __future__ import annotations

import pytest

from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.config.attack import AttackConfig
from gauntlet.config.command_line import parse
from gauntlet.errors import UsageError
from tuning.config import TuneConfig
from tuning.objectives import CLEAN, LOSS, RECONSTRUCTION, ROBUST
from tuning.spaces import POINTS, SPACES, Choice, Range, narrowed

ALL = ("autoencoder", "activations", "funn", "defence", "attack")


@pytest.mark.parametrize("study", ALL)
def test_every_dimension_is_a_parameter_of_its_trials(study: str) -> None:
    config = TuneConfig(study=study)
    assert set(SPACES[study]) <= set(AttackConfig.parameters())
    assert config.dimensions and set(config.dimensions) <= set(config.trial_class.parameters())


@pytest.mark.parametrize("study", ALL)
@pytest.mark.parametrize("end", [0, -1])
def test_the_ends_of_every_space_are_valid(study: str, end: int) -> None:
    config, drawn = TuneConfig(study=study), {}
    for name, dimension in config.applying(drawn):
        ends = dimension.values if isinstance(dimension, Choice) else dimension[:2]
        drawn[name] = ends[end]
    trial = config.trial_config(drawn, 0)
    assert trial.seed == (0 if study == "attack" else config.trial_seed(0))
    assert trial["validation_size"] == 10_000


def test_each_trial_has_a_seed_of_its_own() -> None:
    config = TuneConfig()
    assert len({config.trial_seed(number) for number in range(1000)}) == 1000
    assert TuneConfig(seed=1).trial_seed(0) != config.trial_seed(0)


def test_a_trial_reads_what_its_kind_or_attack_reads() -> None:
    drawn = {"autoencoder": "sparse"}
    names = [name for name, _ in TuneConfig(study="defence").applying(drawn)]
    assert names == ["autoencoder", "defence", "loss", "sparsity_weight"]
    for attack in SPACES["attack"]["attacks"].values:
        found = {name for name, _ in TuneConfig(study="attack").applying({"attacks": attack})}
        assert found - {"attacks"} == {p.name for p in ATTACKS[attack].parameters.values()}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [(LOSS, "minimize")]),
        ({"objective": "reconstruction"}, [(RECONSTRUCTION, "minimize")]),
        ({"objective": "robust_accuracy"}, [(ROBUST, "maximize")]),
        ({"study": "activations"}, [(LOSS, "minimize")]),
        ({"study": "funn"}, [(CLEAN, "maximize"), (ROBUST, "maximize")]),
        ({"study": "defence"}, [(ROBUST, "maximize")]),
        ({"study": "attack"}, [(ROBUST, "minimize")]),
    ],
)
def test_objectives(values: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert list(TuneConfig(**values).objectives) == expected


def test_losses_of_different_kinds_are_not_compared() -> None:
    assert "loss" not in TuneConfig().dimensions
    assert "loss" in TuneConfig(objective="reconstruction").dimensions
    assert TuneConfig(loss="mean_squared_error").trial_config({}, 0)["loss"] == "mean_squared_error"


def test_the_papers_activations_come_first_then_one_throughout() -> None:
    first, *others = POINTS["activations"]
    assert tuple(first.values()) == ("relu", "exponential", "softplus")
    assert [set(point.values()) for point in others[:2]] == [{"relu"}, {"sigmoid"}]
    config = TuneConfig(study="activations")
    assert config.budget == len(POINTS["activations"])
    assert {config.trial_config(point, 0)["activation"] for point in config.points} >= {"tanh"}


SPACE = {"a": Range(1, 10, log=True), "b": Range(1, 9, whole=True), "c": Choice(("x", "y"))}


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("a=2..5.5", "a", Range(2, 5.5, log=True)),
        ("b=3..4", "b", Range(3, 4, whole=True)),
        ("b=3", "b", Choice(("3",))),
        ("a=0.1|2", "a", Choice(("0.1", "2"))),
        ("c=y", "c", Choice(("y",))),
        ("b=1..2  c=y", "c", Choice(("y",))),
    ],
)
def test_narrower_space(text: str, name: str, expected: Range | Choice) -> None:
    space = narrowed(SPACE, text)
    assert space[name] == expected and list(space) == list(SPACE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("d=1..2", "unknown dimension 'd'"),
        ("a=5..5", "low < high"),
        ("a=5..2", "low < high"),
        ("a=0..2", "low > 0"),
        ("b=1..2.5", "whole numbers"),
        ("a=..", "name=low..high"),
        ("a=nan..2", "low < high"),
        ("c=", "name=value|value"),
        ("c=x|x", "each value once"),
        ("a", "name=value|value"),
    ],
)
def test_no_space(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("|", r"\|")):
        narrowed(SPACE, text)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"study": "nothing"}, "unknown study 'nothing'"),
        ({"sampler": "tree"}, "unknown sampler 'tree'"),
        ({"pruner": "axe"}, "unknown pruner 'axe'"),
        ({"study": "funn", "pruner": "median"}, "--pruner: expected none"),
        ({"objective": "reconstruction", "pruner": "hyperband"}, "--pruner: expected none"),
        ({"study": "attack", "objective": "loss"}, "--objective: study=attack allows auto"),
        ({"space": "epochs=9..3"}, "--space: expected low < high"),
        ({"space": "gamma=1..2"}, "--space: unknown dimension 'gamma'"),
        ({"epochs": "5"}, "--epochs: study=autoencoder searches it; fix it with --space"),
        ({"study": "funn", "autoencoder": "sparse"}, "--autoencoder: study=funn has its own"),
        ({"study": "activations", "trials": "99"}, "has 7 points"),
        ({"study": "activations", "space": "activation=relu"}, "study=activations tries all"),
        ({"trials": "0"}, "--trials"),
        ({"workers": "0"}, "--workers"),
        ({"storage": "mysql://host/db"}, "--storage: expected auto"),
        ({"validation_size": "0"}, "--validation_size: expected at least 1"),
        ({"epsilons": "0.1,0.2"}, "--epsilons"),
        ({"threat_models": "gray_box"}, "--threat_models"),
        ({"study": "defence", "stochastic": "true"}, "--stochastic"),
        ({"objective": "robust_accuracy", "defence": "magnet"}, "--defence"),
        (
            {"study": "defence", "space": "defence=encoded|magnet"},
            "--space: expected a defence that the searched autoencoder is part of",
        ),
        ({"study": "autoencoder", "autoencoder": "fool"}, "unknown autoencoder 'fool'"),
        ({"study": "defence", "space": "autoencoder=fool"}, "--space: autoencoder: unknown"),
        ({"clean_floor": "1"}, "--clean_floor"),
        # What no trial of the study reads, and values that a parameter cannot have.
        (
            {"space": "latent=8"},
            "autoencoder=vanilla does not search latent; it searches activation",
        ),
        ({"space": "epochs=1 noise=0.3"}, "does not search noise"),
        ({"space": "loss=mean_squared_error"}, "does not search loss"),
        ({"study": "defence", "space": "autoencoder=sparse|vanilla latent=3"}, "not search latent"),
        (
            {"study": "attack", "space": "attacks=bim restarts=2"},
            "not search restarts; it searches attacks, steps, rel_step",
        ),
        ({"study": "attack", "space": "attacks=bmi"}, "--space: attacks: unknown attack 'bmi'"),
        ({"study": "attack", "space": "attacks=pgd|pgd_l2"}, "unknown attack 'pgd_l2'"),
        ({"space": "epochs=0..3"}, "--space: epochs: expected greater than or equal to 1"),
        ({"study": "defence", "space": "loss=mse"}, "--space: loss: unknown loss 'mse'"),
        ({"study": "activations", "sampler": "random"}, "--sampler: study=activations tries all"),
        ({"study": "defence", "clean_floor": "0.9"}, "--clean_floor: only study=funn asks for"),
        ({"attack_images": "50"}, "--attack_images: study=autoencoder autoencoder=vanilla trains"),
        ({"objective": "reconstruction", "attacks": "pgd"}, "--attacks: study=autoencoder"),
        ({"study": "activations", "epsilons": "0.2"}, "--epsilons: study=activations trains"),
    ],
)
def test_refusals(values: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse("tune", values)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        {"autoencoder": "variational", "space": "latent=8"},
        {"objective": "reconstruction", "space": "loss=mean_squared_error"},
        {"objective": "robust_accuracy", "attack_images": "50", "attacks": "pgd"},
        {"study": "defence", "space": "autoencoder=vanilla|variational latent=3"},
        {"study": "attack", "space": "attacks=bim|pgd restarts=2", "attack_images": "50"},
        {"study": "funn", "clean_floor": "0.9", "sampler": "random", "epsilons": "0.2"},
        {"study": "attack", "defence": "magnet"},
    ],
    ids=str,
)
def test_what_some_trial_reads_is_accepted(values: dict[str, str]) -> None:
    assert parse("tune", values)


def test_definition_is_what_cannot_change() -> None:
    one, other = TuneConfig(study="funn"), TuneConfig(study="funn", space="gamma=2..3")
    changed = {k for k in one.definition if one.definition[k] != other.definition[k]}
    assert changed == {"gamma"} and one.name == other.name
    free = TuneConfig(study="funn", trials=3, workers=2, storage="sqlite:///x.db")
    assert free.definition == one.definition
