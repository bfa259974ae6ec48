"""Who perturbs what, follows whose gradient, and is judged by whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from models import SHAPE, N, affine, autoencoder, blobs, classifier, defended

from gauntlet.attacks.gradients import compiled_gradient, cross_entropy
from gauntlet.attacks.threat_models import Scenario, logits_of
from gauntlet.catalogue.attacks import ATTACKS
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.catalogue.parameters import Parameter
from gauntlet.catalogue.threat_models import THREAT_MODELS, on_images
from gauntlet.catalogue.units import Budgets
from gauntlet.cells.plan import Cell
from gauntlet.config.attack import AttackConfig
from gauntlet.defences.defended_model import DefendedModel
from gauntlet.entry_points.attack import skipped
from gauntlet.errors import UsageError

PIXELS = int(np.prod(SHAPE))
BRIGHT = np.full((2, *SHAPE), 0.8, np.float32)


@pytest.fixture(scope="module")
def parts() -> tuple[DefendedModel, keras.Model]:
    """On a bright image classifier, defence and surrogate say three different classes.

    The autoencoder gives the negative; the classifier says 1 if it is bright, 0 if it is dark; the
    surrogate always says 2.
    """
    negative = affine(-np.eye(PIXELS), [1.0] * PIXELS, SHAPE)
    brightness = np.zeros((PIXELS, 3))
    brightness[:, 1] = 1 / PIXELS
    tells = affine(brightness, [0.5, 0.0, -1.0])
    return DefendedModel(tells, negative), affine(np.zeros((PIXELS, 3)), [0.0, 0.0, 1.0])


ROWS = {
    # name: class by the attacked graph, class by the judge, mean of the starts, box
    "white_box": (0, 0, 0.8, (0.0, 1.0)),
    "gray_box": (1, 0, 0.8, (0.0, 1.0)),
    "transfer": (2, 0, 0.8, (0.0, 1.0)),
    "encoded": (1, 1, 0.2, None),
    "black_box": (0, 0, 0.8, (0.0, 1.0)),
    "decision": (0, 0, 0.8, (0.0, 1.0)),
}


@pytest.mark.parametrize(("name", "row"), ROWS.items(), ids=ROWS)
def test_row_of_the_table(name: str, row: tuple, parts) -> None:
    scenario = Scenario(THREAT_MODELS[name], *parts)
    seen = scenario.logits(BRIGHT, None).numpy().argmax(axis=1)
    starts = scenario.starts(BRIGHT)
    assert (seen[0], scenario.votes(BRIGHT)[0, 0], scenario.box) == (row[0], row[1], row[3])
    assert starts == pytest.approx(np.full_like(BRIGHT, row[2]), abs=1e-6)  # 1 - 0.8 in float32
    assert scenario.perturbs_input == (row[3] is not None)


def test_encoded_starts_are_the_reconstructions() -> None:
    scenario = Scenario(THREAT_MODELS["encoded"], defended("reformer"))
    expected = autoencoder()(blobs(N)[0], training=False)
    # The same product of matrices, compiled here and not there.
    np.testing.assert_allclose(scenario.starts(blobs(N)[0]), expected, atol=1e-6)


def test_transfer_needs_a_surrogate(parts) -> None:
    with pytest.raises(KeyError, match="surrogate"):
        _ = Scenario(THREAT_MODELS["transfer"], parts[0]).logits


def test_undefended_model_is_its_classifier() -> None:
    undefended = DefendedModel(classifier("dense"))
    assert undefended.graph is classifier("dense")
    assert undefended.reconstruct(blobs(N)[0]) is blobs(N)[0]


def test_defended_logits_are_the_classifiers_of_the_reconstruction() -> None:
    whole, images = defended("reformer"), blobs(N)[0]
    behind = DefendedModel(classifier("dense")).logits(whole.reconstruct(images))
    np.testing.assert_allclose(whole.logits(images), behind, atol=1e-4)  # one graph or two
    assert np.array_equal(whole.predict(images), behind.argmax(axis=1))


def test_attacks_see_one_callable_a_model() -> None:
    dense = classifier("dense")
    assert logits_of(dense) is logits_of(dense)
    assert logits_of(dense) is not logits_of(defended("reformer").graph)


def test_attacks_see_inference_mode() -> None:
    image = keras.Input(SHAPE)
    dropped = keras.Model(image, layers.Dropout(0.9)(layers.Flatten()(image)))
    np.testing.assert_array_equal(logits_of(dropped)(BRIGHT, None), BRIGHT.reshape(2, -1))


def test_white_box_gradient_flows_through_the_autoencoder() -> None:
    logits = Scenario(THREAT_MODELS["white_box"], defended("reformer")).logits
    images, labels = map(tf.constant, blobs(N))
    gradient = compiled_gradient(logits, cross_entropy, False)(images, labels, labels).numpy()
    direction = np.random.default_rng(0).choice([-1.0, 1.0], images.shape).astype(np.float32)
    up, down = (
        cross_entropy(labels, logits(images + h * direction, labels)) for h in (0.004, -0.004)
    )
    slope = np.asarray(up - down) / 0.008
    expected = (gradient * direction).sum(axis=(1, 2, 3))
    # Differences of second order, float32, ReLUs of the classifier: 2 % of the largest slope.
    np.testing.assert_allclose(slope, expected, atol=0.02 * np.abs(expected).max())


def test_white_box_and_gray_box_gradients_differ() -> None:
    images, labels = map(tf.constant, blobs(N))
    white, gray = (
        compiled_gradient(
            Scenario(THREAT_MODELS[name], defended("reformer")).logits,
            cross_entropy,
            False,
        )(images, labels, labels).numpy()
        for name in ("white_box", "gray_box")
    )
    assert (np.sign(white) != np.sign(gray)).mean() > 0.05


# --- what an attack reads ---


def _other(parameter: Parameter) -> Any:
    """Another value than a parameter's default."""
    schema = parameter.adapter.json_schema()
    if "enum" in schema:
        return next(value for value in schema["enum"] if value != parameter.default)
    if schema.get("type") == "boolean":
        return not parameter.default
    if parameter.auto:
        # Large enough for `steps * rel_step`.
        return 3 if parameter.counts_classes else 0.7
    if parameter.default + 1 >= schema.get("maximum", schema.get("exclusiveMaximum", np.inf)):
        return parameter.default / 2  # a share
    return parameter.default + 1  # small enough for a class


@pytest.mark.parametrize("name", ATTACKS)
def test_every_parameter_of_an_attack_reaches_its_code_and_no_other_does(name: str) -> None:
    entry = ATTACKS[name]
    default = AttackConfig(preset="smoke").attack(entry).create()
    for parameter in ATTACKS.parameters:
        if isinstance(parameter, Budgets):
            continue
        config = AttackConfig(preset="smoke", **{parameter.name: _other(parameter)})
        changed = config.attack(entry).create() != default
        # `auto` follows the steps.
        follows = parameter.name == "steps" and "rel_step" in entry.parameters
        assert changed == (parameter in entry.all_parameters or follows), parameter.name


# --- combinations ---


@pytest.mark.parametrize(
    ("defence", "threat_model", "said"),
    [
        ("none", "gray_box", "threat_models=gray_box makes no sense for defence=none"),
        ("none", "encoded", "which allows white_box, transfer, black_box, decision"),
        ("none,reformer", "encoded", "threat_models=encoded makes no sense for defence=none"),
        ("none", "white_box,encoded", "threat_models=encoded makes no sense for defence=none"),
        ("none", "all,grey_box", "Did you mean 'gray_box'"),
    ],
)
def test_combination_without_sense_is_refused_by_name(defence, threat_model, said) -> None:
    with pytest.raises(UsageError, match=said):
        AttackConfig(defence=defence, threat_models=threat_model)


QUERIED = ("black_box", "decision")
"""They allow no attack that follows a gradient."""


@pytest.mark.parametrize(
    ("defence", "threat_models", "pairs"),
    [
        ("none", "all", [("none", "white_box"), ("none", "transfer")]),
        ("encoded", "all", [("encoded", name) for name in THREAT_MODELS if name not in QUERIED]),
        (
            "reformer,none",
            "transfer,white_box",
            [
                ("reformer", "white_box"),
                ("reformer", "transfer"),
                ("none", "white_box"),
                ("none", "transfer"),
            ],
        ),
        (
            "none,encoded",
            "gray_box,white_box",
            [
                ("none", "white_box"),
                ("encoded", "white_box"),
                ("encoded", "gray_box"),
            ],
        ),
    ],
)
def test_combinations(defence: str, threat_models: str, pairs: list) -> None:
    given = AttackConfig(defence=defence, threat_models=threat_models)
    assert [(d.name, t.name) for d, t in given.combinations()] == pairs


def test_pairs_that_make_no_sense_are_skipped_by_name() -> None:
    given = AttackConfig(threat_models="white_box,encoded", defence="none,reformer")
    assert [(d.name, t.name) for d, t in given.skipped()] == [("none", "encoded")]
    assert AttackConfig().skipped() == []


@pytest.mark.parametrize("named", ["black_box", "black_box,white_box", "all,black_box"])
def test_threat_model_that_no_attack_can_use_is_refused_where_it_is_named(named: str) -> None:
    with pytest.raises(UsageError, match=r"threat_models=black_box allows square, .*attacks=fgsm"):
        AttackConfig(defence="none", threat_models=named, attacks="fgsm")
    assert AttackConfig(attacks="fgsm").idle_attacks() == []  # all: those that apply


@pytest.mark.parametrize("attacks", ["fgsm", "square", "noise", "strong"])
def test_decisions_are_enough_for_few_attacks(attacks: str) -> None:
    with pytest.raises(
        UsageError, match=r"threat_models=decision allows hop_skip_jump_l2, hop_.*; received"
    ):
        AttackConfig(defence="none", threat_models="decision", attacks=attacks)


@pytest.mark.parametrize("threat_model", ["white_box", "black_box", "decision"])
def test_who_is_granted_more_may_ask_for_decisions(threat_model: str) -> None:
    given = AttackConfig(threat_models=threat_model, attacks="hop_skip_jump_l2")
    assert given.attacks_under(THREAT_MODELS[threat_model]) == (ATTACKS["hop_skip_jump_l2"],)


@pytest.mark.parametrize(
    ("threat_models", "attacks", "idle", "granted"),
    [
        ("black_box", "square,fgsm", {"fgsm": "gradients"}, "scores"),
        ("black_box", "square,noise", {"noise": "nothing"}, "scores"),
        (
            "black_box",
            "strong,spsa",
            dict.fromkeys(("apgd_ce", "apgd_t", "multi_targeted"), "gradients"),
            "scores",
        ),
        (
            "decision",
            "hop_skip_jump_linf,square,bim",
            {"square": "scores", "bim": "gradients"},
            "decisions",
        ),
        (
            "black_box,decision",
            "hop_skip_jump_linf,square,bim",
            {"bim": "gradients"},
            "scores or decisions",
        ),
        ("black_box,white_box", "square,fgsm", {}, ""),
        ("all", "square,fgsm", {}, ""),
    ],
)
def test_attacks_without_a_cell_are_known(
    threat_models: str, attacks: str, idle: dict, granted: str
) -> None:
    given = AttackConfig(defence="none", threat_models=threat_models, attacks=attacks)
    assert [attack.name for attack in given.idle_attacks()] == list(idle)
    planned = {a.name for _, t in given.combinations() for a in given.attacks_under(t)}
    assert planned == set(given["attacks"]) - set(idle)
    assert list(skipped(given)) == [
        f"skipped: attack {name} needs {need}: "
        f"threat models that grant {granted} alone leave it out"
        for name, need in idle.items()
    ]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_is_named_ends_without_a_cell_and_a_word(attack: str) -> None:
    for defence in DEFENCES:
        for named in THREAT_MODELS:
            try:
                given = AttackConfig(defence=defence, threat_models=named, attacks=attack)
            except UsageError:
                continue
            assert given.combinations()
            assert given.attacks_under(THREAT_MODELS[named]) == (ATTACKS[attack],)


def test_only_behind_the_autoencoder_is_the_image_itself_untouched() -> None:
    assert set(THREAT_MODELS) - set(on_images()) == {"encoded"}


def _cells() -> list[Cell]:
    """Return a cell of each defence and threat model, the shipped ones and `behind`."""
    behind = replace(THREAT_MODELS["transfer"], name="behind", perturbs="autoencoder_output")
    config = AttackConfig()
    return [
        Cell(config.attack(ATTACKS["fgsm"]), config.defence(defence), model, 0)
        for defence in DEFENCES.values()
        for model in (*THREAT_MODELS.values(), behind)
        if model.suits(defence)
    ]


def test_cells_of_one_view_start_from_the_same_images_and_follow_the_same_model() -> None:
    """Views let cells share adversarial images; here is said anew what these depend on."""
    shared: dict[tuple[str, ...], set[Any]] = {}
    for cell in _cells():
        model, defence = cell.threat_model, cell.defence.entry
        start = "x" if model.on_images else defence.name
        followed: Any = model.gradient_of, defence.name
        if model.gradient_of == "surrogate":
            followed = "surrogate"
        elif model.gradient_of == "classifier":
            followed = "classifier", defence.inputs
        if followed in (("classifier", "raw"), ("defended", "none")):
            followed = "undefended"
        shared.setdefault(cell.view, set()).add((start, followed))
    assert all(len(seen) == 1 for seen in shared.values())
    assert len(shared) < len(_cells())


@pytest.mark.parametrize("model", THREAT_MODELS)
def test_parameters_of_a_defence_decide_a_cell(model: str) -> None:
    """A perturbation behind a filter begins with what the filter makes of the images."""
    drawn = AttackConfig(autoencoder="denoising", noise=0.3, stochastic=True)
    one, other = (
        Cell(
            config.attack(ATTACKS["fgsm"]),
            config.defence(DEFENCES["reformer"]),
            THREAT_MODELS[model],
            0,
        ).settings
        for config in (AttackConfig(), drawn)
    )
    assert one != other
