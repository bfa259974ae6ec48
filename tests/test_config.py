"""Configs: strings in, checked values out, and exactly the settings that a step reads."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parameters import REQUIRED

from gauntlet.catalogue.attacks import (
    ATTACKS,
    ENSEMBLES,
    L2_EPSILONS,
    epsilons_of,
    target_of,
)
from gauntlet.catalogue.autoencoders import AUTOENCODERS, from_preset
from gauntlet.catalogue.classifiers import CLASSIFIERS
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.catalogue.parameters import PRESET, to_string
from gauntlet.config.attack import AttackConfig
from gauntlet.config.command_line import command, config_class, default_string, parse
from gauntlet.config.data import PRESETS
from gauntlet.config.training import AutoencoderConfig, ClassifierConfig
from gauntlet.errors import UsageError, unknown_name
from gauntlet.pipeline.inputs import load_data
from gauntlet.seeding import child_seed

# --- strings ---

FLOATS = {"min_value": 1e-6, "max_value": 1.0, "allow_nan": False}


@st.composite
def _attack_configs(draw) -> AttackConfig:
    thousandths = st.lists(st.integers(0, 1000), min_size=1, max_size=4, unique=True).map(sorted)
    return AttackConfig(
        preset=draw(st.sampled_from(list(PRESETS))),
        seed=draw(st.integers(0, 2**63 - 1)),
        train_size=draw(st.one_of(st.just("all"), st.integers(1, 60_000))),
        widths=tuple(draw(st.lists(st.integers(1, 999), min_size=1, max_size=3))),
        learning_rate=draw(st.floats(**FLOATS)),
        rel_step=draw(st.floats(0.05, 1)),  # 20 steps reach the budget
        epsilons=tuple(e / 1000 for e in draw(thousandths)),
        attacks=tuple(draw(st.lists(st.sampled_from([*ATTACKS]), min_size=1, unique=True))),
        lr_clip=draw(st.booleans()),
    )


@settings(max_examples=50, deadline=None)
@given(_attack_configs())
def test_config_survives_the_command_line(config: AttackConfig) -> None:
    arguments = {name: to_string(value) for name, value in config.values.items()}
    assert parse("attack", arguments) == config


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_default_strings_give_the_default_config(entry_point: str) -> None:
    model = config_class(entry_point)
    given = REQUIRED.get(entry_point, {})
    defaults = {name: default_string(p) for name, p in model.parameters().items()}
    assert {name for name, default in defaults.items() if default is None} == set(given)
    assert parse(entry_point, defaults | given) == parse(entry_point, given) == model(**given)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0.0, "0"),
        (1.0, "1"),
        (0.05, "0.05"),
        (1e-4, "0.0001"),
        (1 / 3, "0.3333333333333333"),
        (1e-7, "1e-07"),
        ((0.0, 0.1), "0,0.1"),
        (("a", "b"), "a,b"),
        (7, "7"),
        ("all", "all"),
        (2**62 + 1, "4611686018427387905"),
    ],
)
def test_value_as_the_command_line_reads_it(value: object, text: str) -> None:
    assert to_string(value) == text


def test_spaces_in_a_list_are_no_part_of_it() -> None:
    assert parse("attack", {"attacks": "fgsm, bim"})["attacks"] == ("fgsm", "bim")


# --- presets ---


@pytest.mark.parametrize("entry_point", [name for name in ENTRY_POINTS if name != "compare"])
@pytest.mark.parametrize("preset", PRESETS)
def test_preset_fills_what_is_not_given(preset: str, entry_point: str) -> None:
    filled = parse(entry_point, {"preset": preset}).values
    says = config_class(entry_point).preset_values({"preset": preset})
    assert PRESETS[preset].items() <= says.items() <= filled.items()


@pytest.mark.parametrize("preset", PRESETS)
def test_given_value_beats_the_preset(preset: str) -> None:
    given = {"preset": preset, "epochs": "3", "dataset": "fashion_mnist", "train_size": "17"}
    config = parse("autoencoder", given)
    assert (config["epochs"], config.data.dataset, config.data.train_size) == (
        3,
        "fashion_mnist",
        17,
    )
    assert config["batch_size"] == {"paper": 1024, "smoke": 64}[preset]


SCHEDULE = ("epochs", "batch_size", "learning_rate")


@pytest.mark.parametrize(
    ("kind", "schedule", "loss"),
    [
        ("vanilla", (35, 1024, 1e-3), "categorical_crossentropy"),
        ("convolutional", (40, 128, 5e-4), "mean_squared_error"),
        ("funn", (40, 128, 5e-4), "mean_squared_error"),
        ("magnet_1", (100, 256, 1e-3), "mean_squared_error"),
    ],
)
def test_each_paper_has_its_own_preset(kind: str, schedule: tuple, loss: str) -> None:
    config = AutoencoderConfig(autoencoder=kind)
    assert tuple(config[name] for name in SCHEDULE) == schedule
    assert config["loss"] == loss


@pytest.mark.parametrize(
    ("values", "schedule"),
    [
        ({}, (35, 1024, 1e-3)),
        ({"epochs": 3}, (3, 1024, 1e-3)),
        ({"classifier": "convolutional"}, (50, 128, 0.01)),
        ({"train_on": "features", "epochs": 3}, (20, 128, 1e-3)),
        ({"train_on": "features", "classifier_epochs": 4, "classifier_rate": 0.1}, (4, 128, 0.1)),
    ],
    ids=str,
)
def test_schedule_of_a_classifier(values: dict, schedule: tuple) -> None:
    given = ClassifierConfig(**values).training.training_arguments
    assert tuple(given[name] for name in SCHEDULE) == schedule


def test_autoencoder_of_another_kind_has_its_own_preset_and_what_was_given() -> None:
    config = AttackConfig(seed=3, batch_size=77)
    alone = AutoencoderConfig(autoencoder="magnet_2", seed=3, batch_size=77)
    assert config.autoencoder("magnet_2") == alone.autoencoder()


def test_word_preset_means_what_the_preset_says() -> None:
    filled = [n for n, p in AttackConfig.parameters().items() if p.default == PRESET]
    words = dict.fromkeys(filled, PRESET)
    assert parse("attack", {"preset": "smoke", **words}) == parse("attack", {"preset": "smoke"})


def test_both_presets_fill_the_same_parameters() -> None:
    filled = {n for n, p in AttackConfig.parameters().items() if p.default == PRESET}
    for preset in PRESETS:
        assert set(AttackConfig.preset_values({"preset": preset})) == filled
    assert {*PRESETS["paper"], *from_preset()} == filled


# --- settings: exactly what can change the result ---

TRAINING = {"epochs", "batch_size", "validation_size", "seed"}
DENSE = {
    "widths",
    "activation",
    "pre_output_activation",
    "output_activation",
    "loss",
    "learning_rate",
}
CONVOLUTIONAL = {"filters", "features"}
ONLY = {
    "vanilla": DENSE,
    "sparse": DENSE | {"sparsity_penalty", "sparsity_weight"},
    "denoising": DENSE | {"noise"},
    "variational": DENSE | {"latent"},
    "convolutional": CONVOLUTIONAL | {"loss", "learning_rate"},
    "funn": CONVOLUTIONAL
    | {"attacker_noise", "gamma", "beta", "constraint", "init_epochs", "defender_init_rate"}
    | {"attacker_init_rate", "defender_rate", "attacker_rate"},
    "magnet_1": {"loss", "learning_rate", "noise"},
    "magnet_2": {"loss", "learning_rate", "noise"},
}
SCHEDULED = {"classifier_epochs", "classifier_batch_size", "classifier_rate"}
CLASSIFIER = {
    "dense": SCHEDULED | {"validation_size", "seed", "widths", "activation"},
    "noisy_dense": SCHEDULED
    | {"validation_size", "seed", "widths", "activation", "smoothing_sigma"},
    "convolutional": SCHEDULED | {"validation_size", "seed"},
    "noisy_convolutional": SCHEDULED | {"validation_size", "seed", "smoothing_sigma"},
    "logistic_regression": {"validation_size", "epochs"},  # of lbfgs, which the entry fixes
    "head": SCHEDULED | {"validation_size", "seed", "head_units"},
    "wong2018": {"validation_size", "epochs"},  # none and 0, which the entry fixes
    "wong2018_fashion": {"validation_size", "epochs"},
}


def _read(settings: dict) -> set[str]:
    """The parameters among settings, which also name code and what an entry fixes."""
    known = {*AttackConfig.parameters()}
    return set(settings) & known


@pytest.mark.parametrize(("kind", "own"), ONLY.items(), ids=ONLY)
def test_settings_of_an_autoencoder(kind: str, own: set[str]) -> None:
    training = AutoencoderConfig(autoencoder=kind).autoencoder()
    assert _read(training.settings) == TRAINING | own


def test_settings_are_pinned_for_every_kind() -> None:
    assert [*ONLY] == [*AUTOENCODERS] and [*CLASSIFIER] == [*CLASSIFIERS]


def test_kinds_that_read_the_same_are_told_apart() -> None:
    one, other = (AutoencoderConfig(autoencoder=f"magnet_{i}").autoencoder() for i in (1, 2))
    assert _read(one.settings) == _read(other.settings) and one.settings != other.settings


def test_sparsity_target_is_a_setting_of_the_kl_penalty_alone() -> None:
    config = AutoencoderConfig(autoencoder="sparse", sparsity_penalty="kl")
    assert "sparsity_target" in config.autoencoder().settings


def test_step_size_follows_the_number_of_steps_unless_given() -> None:
    assert AttackConfig()["rel_step"] == 0.125
    assert AttackConfig(steps=100)["rel_step"] == 0.025
    assert AttackConfig(steps=1)["rel_step"] == 1
    assert AttackConfig(steps=100, rel_step=0.5)["rel_step"] == 0.5


def test_steps_that_never_reach_the_budget_are_refused() -> None:
    with pytest.raises(UsageError, match="never reach epsilon"):
        AttackConfig(steps=4, rel_step=0.1)


def test_budgets_that_share_a_metric_step_are_refused() -> None:
    with pytest.raises(UsageError, match="thousandth of the range"):
        AttackConfig(epsilons=(0.0301, 0.0302))


@pytest.mark.parametrize(("name", "read"), CLASSIFIER.items(), ids=CLASSIFIER)
def test_settings_of_a_classifier(name: str, read: set[str]) -> None:
    entry = CLASSIFIERS[name]
    config = ClassifierConfig(classifier=entry.typed, train_on=entry.inputs[0])
    assert config.training.entry is entry and _read(config.training.settings) == read


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"preset": "paper"}, True),
        ({"noise": 0.5}, True),
        ({"latent": 3}, True),
        ({"epochs": 36}, False),
        ({"seed": 1}, False),
        ({"widths": (504, 29)}, False),
    ],
    ids=str,
)
def test_settings_change_only_with_what_is_read(change: dict, same: bool) -> None:
    before, after = AutoencoderConfig(), AutoencoderConfig(**change)
    assert (before.autoencoder().settings == after.autoencoder().settings) == same


def test_preset_that_gives_the_same_values_gives_the_same_settings() -> None:
    by_hand = ClassifierConfig(**ClassifierConfig.preset_values({"preset": "smoke"}))
    by_preset = ClassifierConfig(preset="smoke")
    assert by_hand.training.settings == by_preset.training.settings


@pytest.mark.parametrize("name", ATTACKS)
def test_settings_of_an_attack(name: str) -> None:
    config, entry = AttackConfig(steps=3), ATTACKS[name]
    read = {
        p.name: p.adapter.dump_python(config[p.name], mode="json") for p in entry.all_parameters
    }
    code = {f"code of {name}": entry.code}
    assert config.attack(entry).settings == {**read, **entry.fixed, **code}


# --- attack config ---


@pytest.mark.parametrize("name", ATTACKS)
def test_budgets_speak_unit_pixels(name: str) -> None:
    config, entry = (
        AttackConfig(epsilons=(0.0, 0.3), grey_epsilons=(0.0, 51.0, 255.0), l2_epsilons=(0.0, 1.5)),
        ATTACKS[name],
    )
    assert (entry.budgets.name == "grey_epsilons") == name.startswith("lr_")
    plain = {"epsilons": (0.0, 0.3), "grey_epsilons": (0.0, 0.2, 1.0), "l2_epsilons": (0.0, 1.5)}[
        entry.budgets.name
    ]
    expected = (*plain, 1.0) if entry.finds_minimum else plain
    assert epsilons_of(config.attack(entry)) == expected


def test_a_minimum_norm_attack_with_l2_budgets_is_shown_at_the_largest() -> None:
    entry = dataclasses.replace(ATTACKS["deepfool_l2"], budgets=L2_EPSILONS)
    chosen = AttackConfig(l2_epsilons=(1.0, 3.0)).attack(entry)
    assert epsilons_of(chosen) == (1.0, 3.0, 1000.0)


def test_an_l2_budget_is_no_share_of_the_pixel_range() -> None:
    given = {"attacks": "pgd_l2", "l2_epsilons": "0.5,28"}
    assert parse("attack", given)["l2_epsilons"] == (0.5, 28.0)
    with pytest.raises(UsageError, match=r"^--epsilons: .*values in \[0, 1\]"):
        parse("attack", {"attacks": "pgd", "epsilons": "0.5,28"})


def test_a_study_mixes_no_norms() -> None:
    with pytest.raises(UsageError, match=r"^--attacks: unknown attack 'apgd_ce_l2'"):
        parse("tune", {"objective": "robust_accuracy", "attacks": "apgd_ce,apgd_ce_l2"})


def _attacks_by_threat_model(**given: str) -> dict[str, list[str]]:
    config = parse("attack", {"defence": "reformer", **given})
    return {t.name: [a.name for a in config.attacks_under(t)] for _, t in config.combinations()}


def test_default_adds_what_does_not_saturate_where_the_attacker_knows_all() -> None:
    papers = ["fgsm", "t_fgsm", "bim"]
    others = dict.fromkeys(("gray_box", "transfer", "encoded"), papers)
    assert _attacks_by_threat_model() == {"white_box": [*papers, "apgd_t_quick"], **others}
    more = _attacks_by_threat_model(attacks="pgd,default,bim", threat_models="white_box,transfer")
    assert more == {"white_box": ["pgd", *papers, "apgd_t_quick"], "transfer": ["pgd", *papers]}
    assert parse("attack", {"attacks": "default"}).values == parse("attack", {}).values


def test_default_is_idle_nowhere() -> None:
    some = {"defence": "reformer", "threat_models": "gray_box"}
    assert parse("attack", some).idle_attacks() == []


def test_strong_stands_for_the_ensemble() -> None:
    strong = ENSEMBLES["strong"]
    assert AttackConfig(attacks=("strong",))["attacks"] == strong
    assert AttackConfig(attacks="fgsm,pgd,strong")["attacks"] == (
        "fgsm",
        *dict.fromkeys(("pgd", *strong)),
    )


def test_what_makes_no_sense_together_is_refused() -> None:
    with pytest.raises(UsageError, match="--classifier: expected dense on features"):
        parse("attack", {"defence": "features", "classifier": "logistic_regression"})


@pytest.mark.parametrize("defence", ["magnet", "none,magnet"])
def test_magnet_needs_validation_images(defence: str) -> None:
    said = "^--validation_size: expected at least 1 .* defence=magnet; received 0.$"
    with pytest.raises(UsageError, match=said):
        parse("attack", {"defence": defence, "autoencoder": "magnet_1", "validation_size": "0"})
    assert parse("attack", {"defence": defence})["defence"] == tuple(defence.split(","))


def test_settings_of_magnet() -> None:
    config = parse("attack", {"defence": "none,magnet", "preset": "smoke", "detectors": "jsd"})
    assert _read(config.defence(DEFENCES["none"]).settings) == set()
    settings = config.defence(DEFENCES["magnet"]).settings
    assert settings["detectors"] == ["jsd"] and settings["false_positive_rate"] == 0.001
    assert config.calibration_size(DEFENCES["magnet"]) == 200


@pytest.mark.parametrize(
    ("entry_point", "values"),
    [("attack", {"defence": "features"}), ("classifier", {"train_on": "features"})],
)
def test_autoencoder_without_code_has_no_features(entry_point: str, values: dict) -> None:
    said = "^--autoencoder: expected one that has features, vanilla, .*; received 'magnet_2'.$"
    with pytest.raises(UsageError, match=said):
        parse(entry_point, {"autoencoder": "magnet_2", **values})
    with pytest.raises(UsageError, match="--stochastic: expected autoencoder=variational"):
        parse("attack", {"stochastic": "true"})
    with pytest.raises(UsageError, match="--stochastic: expected a defence that draws, encoded or"):
        drawn = {"stochastic": "true", "autoencoder": "variational"}
        parse("attack", {**drawn, "defence": "features"})
    with pytest.raises(UsageError, match="black_box allows square, square_l2, spsa"):
        parse("attack", {"threat_models": "black_box"})
    with pytest.raises(UsageError, match="--init_epochs: expected at most the 3 epochs"):
        parse("autoencoder", {"autoencoder": "funn", "epochs": "3"})


def test_one_target() -> None:
    config = AttackConfig(target=4, lr_target=6)
    aims = {name: target_of(config.attack(entry)) for name, entry in ATTACKS.items()}
    assert {k: v for k, v in aims.items() if v is not None} == {"t_fgsm": 4, "lr_one_target": 6}


def test_classifier_of_an_attack_run_is_the_one_of_the_classifier_entry_point() -> None:
    given = {"preset": "smoke", "epochs": "3", "seed": "5", "classifier": "logistic_regression"}
    alone = parse("classifier", {**given, "train_on": "encoded"})
    assert parse("attack", given).classifier("encoded") == alone.training


def test_surrogate_has_another_seed_and_nothing_else() -> None:
    config = AttackConfig(seed=5)
    own, surrogate = config.classifier("raw"), config.classifier("raw", "surrogate")
    assert surrogate.seed == child_seed(5, "surrogate") != own.seed == 5
    assert dataclasses.replace(surrogate, seed=5) == own


def test_autoencoder_of_an_attack_run_is_the_one_of_the_autoencoder_entry_point() -> None:
    given = {"preset": "smoke", "autoencoder": "sparse", "sparsity_weight": "0.5", "seed": "5"}
    assert parse("attack", given).autoencoder() == parse("autoencoder", given).autoencoder()


# --- refusals that the command line's own tests leave out ---

REFUSED = {
    # parameter: (value, what the answer says)
    "batch_size": ("0", "greater than or equal to 1"),
    "learning_rate": ("0", "greater than 0"),
    "validation_size": ("-1", "greater than or equal to 0"),
    "test_size": ("0", "greater than or equal to 1"),
    "widths": ("32,x", "valid integer"),
    "activation": ("rellu", "Did you mean 'relu'"),
    "pre_output_activation": ("exp", "exponential"),
    "output_activation": ("soft", "softplus"),
    "loss": ("mse", "mean_squared_error"),
    "sparsity_penalty": ("l2", "Valid: l1, kl"),
    "sparsity_weight": ("0", "greater than 0"),
    "sparsity_target": ("1", "less than 1"),
    "noise": ("-0.1", "greater than or equal to 0"),
    "latent": ("0", "greater than or equal to 1"),
    "filters": ("32,0", "greater than or equal to 1"),
    "features": ("0", "greater than or equal to 1"),
    "attacker_noise": ("0", "greater than or equal to 1"),
    "gamma": ("0", "greater than 0"),
    "beta": ("1", "less than 1"),
    "constraint": ("at_most", "Valid: at_least, as_printed"),
    "init_epochs": ("0", "greater than or equal to 1"),
    "defender_rate": ("0", "greater than 0"),
    "classifier_epochs": ("0", "greater than or equal to 1"),
    "head_units": ("0", "greater than or equal to 1"),
    "detectors": ("l3", "unknown detector 'l3'"),
    "false_positive_rate": ("1", "less than 1"),
    "eot_samples": ("0", "greater than or equal to 1"),
    "judge_draws": ("0", "greater than or equal to 1"),
    "smoothing_sigma": ("0", "greater than 0"),
    "pgd_loss": ("hinge", "Valid: cross_entropy, margin, dlr"),
    "apgd_steps": ("0", "greater than or equal to 2"),
    "target_classes": ("0", "greater than or equal to 1"),
    "square_queries": ("0", "greater than or equal to 1"),
    "spsa_samples": ("0", "greater than or equal to 1"),
    "deepfool_variant": ("foolbox2", "Valid: paper, foolbox1, foolbox3"),
    "deepfool_steps": ("0", "greater than or equal to 1"),
    "cw_rate": ("0", "greater than 0"),
    "cw_confidence": ("-1", "greater than or equal to 0"),
    "max_pixels": ("0", "greater than or equal to 1"),
    "local_search_rounds": ("0", "greater than or equal to 1"),
    "local_search_selection": ("low", "Valid: lowest, highest"),
    "classifier": ("dens", "Did you mean 'dense'"),
    "target": ("-1", "greater than or equal to 0"),
    "steps": ("0", "greater than or equal to 1"),
    "rel_step": ("1.1", "less than or equal to 1"),
    "restarts": ("0", "greater than or equal to 1"),
    "decay": ("-1", "greater than or equal to 0"),
    "grey_epsilons": ("16,8", "ascending"),
    "lr_variant": ("sine", "Did you mean 'sign'"),
    "lr_target": ("-1", "greater than or equal to 0"),
    "lr_targets_at": ("0", "greater than 0"),
    "dataset": ("npz:", "npz:PATH"),
    "defence": ("none,none", "expected each name once"),
    "threat_models": ("all,all", "expected each name once"),
}


@pytest.mark.parametrize(("name", "case"), REFUSED.items(), ids=REFUSED)
def test_refusal_names_the_flag_and_the_value(name: str, case: tuple[str, str]) -> None:
    value, said = case
    with pytest.raises(UsageError, match=said) as refusal:
        parse("attack", {name: value})
    line = str(refusal.value)
    assert line.startswith(f"--{name}: ") and "received" in line and "\n" not in line


@pytest.mark.parametrize("name", ["epsilons", "grey_epsilons", "l2_epsilons"])
@pytest.mark.parametrize("value", ["nan", "inf", "0,0", "0.2,0.1", "-1", "1001", ","])
def test_budgets_that_are_none(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"^--{name}: .*; received "):
        parse("attack", {name: value})


def test_train_on_is_raw_or_encoded() -> None:
    with pytest.raises(UsageError, match=r"--train_on: .*raw, encoded"):
        parse("classifier", {"train_on": "row"})


NEVER_REACHES = {"steps": "4", "rel_step": "0.1"}
UNREAD = {
    # entry point, values -> what is refused as soon as it is read
    "target": ("attack", {"attacks": "pgd", "target": "12"}, {"attacks": "t_fgsm"}),
    "lr_target": ("attack", {"lr_target": "10"}, {"attacks": "lr_one_target"}),
    "target_classes": ("attack", {"attacks": "bim", "target_classes": "10"}, {"attacks": "apgd_t"}),
    "steps": ("attack", {"attacks": "fgsm,apgd_ce", **NEVER_REACHES}, {"attacks": "mim"}),
    "phases": ("classifier", {"autoencoder": "funn", "epochs": "3"}, {"train_on": "encoded"}),
    "own phases": (
        "attack",
        {"autoencoder": "funn", "epochs": "3", "defence": "none,magnet"},
        {"defence": "reformer"},
    ),
    "study": ("tune", {"target": "12"}, {"objective": "robust_accuracy", "attacks": "t_fgsm"}),
}


@pytest.mark.parametrize(("entry_point", "values", "reads"), UNREAD.values(), ids=UNREAD)
def test_only_what_is_read_is_checked(entry_point: str, values: dict, reads: dict) -> None:
    if entry_point != "tune":  # a study refuses what it does not read
        assert parse(entry_point, values)
    with pytest.raises(UsageError):
        parse(entry_point, values | reads)


@pytest.mark.parametrize(
    ("attacks", "flag"), [("pgd", None), ("t_fgsm", "target"), ("lr_one_target", "lr_target")]
)
def test_classes_of_the_data_matter_to_attacks_that_aim(attacks, flag, tmp_path) -> None:
    images, labels = np.zeros((30, 4, 4), np.uint8), np.arange(30) % 5
    np.savez(tmp_path / "five.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    data = {"dataset": f"npz:{tmp_path / 'five.npz'}", "train_size": "all", "test_size": "all"}
    config = parse("attack", {**data, "attacks": attacks})
    if flag is None:
        assert load_data(config).n_classes == 5
    else:
        with pytest.raises(UsageError, match=f"^--{flag}: expected a class from 0 to 4"):
            load_data(config)


@pytest.mark.parametrize("attacks", ["apgd_t", "multi_targeted", "fab_t"])
def test_no_more_targets_than_wrong_classes(attacks: str) -> None:
    said = "^--target_classes: expected at most the 9 wrong classes; received 10.$"
    with pytest.raises(UsageError, match=said):
        parse("attack", {"attacks": attacks, "target_classes": "10"})
    given = parse("attack", {"attacks": attacks, "target_classes": "9"})
    assert given.attack(ATTACKS[attacks]) == AttackConfig().attack(ATTACKS[attacks])


def test_own_data_set_may_have_any_number_of_classes() -> None:
    assert parse("attack", {"dataset": "npz:mine.npz", "target": "99"})["target"] == 99


def test_unknown_entry_point() -> None:
    with pytest.raises(UsageError, match=r"unknown entry point 'atack'\. Did you mean 'attack'"):
        parse("atack", {})


def test_config_cannot_be_changed_nor_extended() -> None:
    with pytest.raises(TypeError):
        AttackConfig().values["seed"] = 1
    with pytest.raises(AttributeError):
        AttackConfig().seed = 1
    with pytest.raises(UsageError, match=r"unknown attack parameter 'sede'. Did you mean 'seed'"):
        AttackConfig(sede=1)


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        ("blu", "unknown colour 'blu'. Did you mean 'blue'? Valid: red, blue."),
        ("xyz", "unknown colour 'xyz'. Valid: red, blue."),
    ],
)
def test_unknown_name(received: str, answer: str) -> None:
    assert unknown_name("colour", received, ["red", "blue"]) == answer


# --- what was given ---


@pytest.mark.parametrize("epochs", ["34", "35", "36", "100"])
def test_magnet_trains_for_as_many_epochs_as_were_given(epochs: str) -> None:
    """35 are the default of another kind, and may be wanted all the same."""
    config = parse("attack", {"defence": "magnet", "epochs": epochs})
    assert config.autoencoder("magnet_1").values["epochs"] == int(epochs)
    assert f"-P epochs={epochs}" in command("attack", config)


def test_magnet_trains_as_published_if_nothing_was_given() -> None:
    for values in ({}, {"epochs": "preset"}, {"autoencoder": "denoising", "preset": "paper"}):
        magnet = parse("attack", {"defence": "magnet", **values}).autoencoder("magnet_2").values
        assert (magnet["epochs"], magnet["batch_size"]) == (100, 256)
        assert (magnet["validation_size"], magnet["noise"]) == (5000, 0.1)
        assert magnet["loss"] == "mean_squared_error"


@pytest.mark.parametrize("autoencoder", ["vanilla", "magnet_1"])
def test_classifier_learns_from_all_images_unless_told_otherwise(autoencoder: str) -> None:
    values = {"defence": "magnet", "autoencoder": autoencoder}
    assert parse("attack", values).classifier("raw").held_out == 0
    told = parse("attack", {**values, "validation_size": "700"})
    assert told.classifier("raw").held_out == 700
    assert told.autoencoder("magnet_1").held_out == 700


def test_what_was_given_comes_through_a_worker_unchanged() -> None:
    config = parse("tune", {"study": "attack", "defence": "magnet", "trials": "2"})
    again = type(config)(**json.loads(json.dumps(config.as_json(config.given))))
    assert again == config and again.given == config.given
    trial = again.trial_config({}, 0)
    assert trial.autoencoder("magnet_1").values["epochs"] == 100
    assert trial.classifier("raw").held_out == config.held_out_size == 10_000
