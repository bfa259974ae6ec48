"""The result table, the worst case, the headline and the warning, on ten images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from made_cells import made_cell

from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.catalogue.trainings import Trainable, Training
from gauntlet.catalogue.units import GREY_LEVELS, L2_NORM, PIXEL_RANGE
from gauntlet.cells.result import CellResult
from gauntlet.config.attack import AttackConfig
from gauntlet.entry_points import attack
from gauntlet.pipeline import networks
from gauntlet.pipeline.trainings import TrainedNetwork
from gauntlet.report import chance
from gauntlet.report.attack.page import as_document, header, norm_table, table
from gauntlet.report.attack.summary import Summary, summarise
from gauntlet.report.document.pages import TABLES, as_markdown
from gauntlet.tracking.recording import TrackedRun

N = 10


def _cell(
    defence: str = "none",
    threat_model: str = "white_box",
    attack: str = "fgsm",
    *,
    fallen: tuple[range, ...] = (range(0), range(5)),
    epsilons: tuple[float, ...] = (0.0, 0.1),
    bounded: bool = True,
    n: int = N,
) -> CellResult:
    """Return a cell: `fallen` are misclassified at each budget, the last image always."""
    return made_cell(
        attack,
        fallen,
        defence=defence,
        threat_model=threat_model,
        epsilons=epsilons,
        n=n,
        wrong=[n - 1],
        unit=PIXEL_RANGE if bounded else GREY_LEVELS,
    )


def _masked(threat_model: str, survivors: int, defence: str = "reformer") -> CellResult:
    """Return a cell of 1000 images, wide enough for narrow intervals."""
    fallen = range(999 - survivors)
    return _cell(defence, threat_model, fallen=(range(0), fallen), n=1000)


def _markdown(summary: Summary, title: str = "t", *notes: str) -> str:
    return as_markdown(as_document(summary, title, notes))


# --- cells ---


def test_accuracies() -> None:
    assert _cell().accuracies == [0.9, 0.4]


def test_rejection_defeats_an_attack_and_spoils_a_clean_image() -> None:
    rejected = replace(_cell(), clean=np.full(N, -1), attacked=np.full((2, N), -1))
    assert rejected.accuracies == [1.0, 1.0] and rejected.success_rate.value == 0
    (row,) = summarise([rejected]).rows
    assert (row.clean.value, row.worst_at_reference.value) == (0, 1)


REFERENCES = {
    "0.1 if there": ((0.0, 0.05, 0.1, 0.3), True, 2),
    "0.1 as it was computed": ((0.0, 0.1 + 1e-12, 0.3), True, 1),
    "else the largest": ((0.0, 0.05, 0.3), True, 2),
    "16 grey levels if there": ((0.0, 8 / 255, 16 / 255, 50 / 255), False, 2),
    "else the most grey levels": ((0.0, 8 / 255, 50 / 255), False, 2),
    "0.1 is no grey level": ((0.0, 0.1, 0.3), False, 2),
    "16 grey levels are not 0.1": ((0.0, 16 / 255, 0.3), True, 2),
    "only one": ((0.2,), True, 0),
}


@pytest.mark.parametrize(("epsilons", "bounded", "index"), REFERENCES.values(), ids=REFERENCES)
def test_reference_budget(epsilons: tuple[float, ...], bounded: bool, index: int) -> None:
    unit = PIXEL_RANGE if bounded else GREY_LEVELS
    assert unit.index_of_reference(epsilons) == index


@pytest.mark.parametrize(
    ("bounded", "epsilons", "text"),
    [(True, (0.0, 0.1), "0.1"), (False, (0.0, 16 / 255), "16/255"), (True, (0.05,), "0.05")],
)
def test_budget_speaks_the_units_of_the_attack(bounded, epsilons, text: str) -> None:
    fallen = (range(0),) * len(epsilons)
    assert _cell(epsilons=epsilons, bounded=bounded, fallen=fallen).budget == text


# --- rows ---


def test_rows_keep_the_order_of_the_cells() -> None:
    cells = [
        _cell(d, t, a)
        for d, t in (("reformer", "white_box"), ("none", "white_box"), ("reformer", "transfer"))
        for a in ("bim", "fgsm")
    ]
    rows = summarise(cells).rows
    assert [(row.defence, row.threat_model) for row in rows] == [
        ("reformer", "white_box"),
        ("none", "white_box"),
        ("reformer", "transfer"),
    ]
    assert all([cell.attack for cell in row.cells] == ["bim", "fgsm"] for row in rows)


def test_worst_case_counts_an_image_that_falls_with_any_attack() -> None:
    one = _cell(attack="fgsm", fallen=(range(0), range(4)))
    two = _cell(attack="bim", fallen=(range(0), range(3, 6)))
    (row,) = summarise([one, two]).rows
    assert row.worst_at_reference.value == pytest.approx(0.3)  # images 6, 7, 8 survive
    assert row.worst(0).value == pytest.approx(0.9)
    assert row.clean.value == pytest.approx(0.9)


def test_strongest_attack_leaves_the_least() -> None:
    one = _cell(attack="fgsm", fallen=(range(0), range(3)))
    two = _cell(attack="bim", fallen=(range(0), range(6)))
    assert summarise([one, two]).rows[0].strongest.attack == "bim"


def test_unbounded_attacks_stay_out_of_the_worst_case() -> None:
    grey = {"epsilons": (0.0, 16 / 255, 50 / 255), "bounded": False}
    fierce = _cell(attack="lr_natural", fallen=(range(0), range(9), range(9)), **grey)
    (row,) = summarise([fierce, _cell(fallen=(range(0), range(3)))]).rows
    assert [cell.attack for cell in row.judged] == ["fgsm"]
    assert row.worst_at_reference.value == pytest.approx(0.6)
    assert (row.epsilons, row.strongest.attack) == ((0.0, 0.1), "fgsm")


def test_unbounded_attacks_alone_are_judged_and_said_to_be_unbounded() -> None:
    grey = {"epsilons": (0.0, 16 / 255), "bounded": False}
    summary = summarise([_cell(attack="lr_natural", **grey)])
    assert summary.rows[0].worst_at_reference.value == pytest.approx(0.4)
    (line,) = summary.headlines()
    assert "at epsilon 16/255" in line and "lr_natural, unbounded as published" in line


# --- budgets of different norms ---


def _in_l2(**options) -> CellResult:
    """Return a cell with L2 budgets."""
    found = {"attack": "pgd_l2", "epsilons": (0.0, 1.5), **options}
    return replace(_cell(**found), unit=L2_NORM)


def test_each_norm_has_a_worst_case_of_its_own() -> None:
    cells = [_cell(fallen=(range(0), range(4))), _in_l2(fallen=(range(0), range(4, 6)))]
    summary = summarise(cells)
    assert [row.worst_at_reference.value for row in summary.rows] == pytest.approx([0.5, 0.7])
    assert [row.epsilons for row in summary.rows] == [(0.0, 0.1), (0.0, 1.5)]
    assert header(summary)[3:5] == ["fgsm ε=0.1", "pgd_l2 ε=1.5 in L2"]
    assert [line[:5] for line in table(summary)] == [
        ["none", "white_box", "0.9000", "0.5000", ""],
        ["none", "white_box in L2", "0.9000", "", "0.7000"],
    ]


def test_each_norm_has_headlines_of_its_own() -> None:
    cells = [_in_l2(), _cell(), _in_l2(defence="reformer"), _cell("reformer")]
    summary = summarise(cells)
    lines = list(summary.headlines())
    assert [line.split(":")[0] for line in lines] == ["none", "reformer"] * 2
    assert ["at epsilon 1.5 in L2 (clean" in line for line in lines] == [True, True, False, False]
    found = dict(summary.headline_metrics)
    assert (found["headline/epsilon"], found["headline/epsilon_l2"]) == (0.1, 1.5)
    assert {name for name in found if name.endswith("/none")} == {
        f"headline/robust_accuracy{norm}{end}/none"
        for norm in ("", "_l2")
        for end in ("", "_low", "_high")
    }


def test_budgets_of_another_norm_mask_no_gradient() -> None:
    transfer = replace(_masked("transfer", 100), unit=L2_NORM)
    assert list(summarise([_masked("white_box", 400), transfer]).warnings()) == []
    queries = replace(_masked("white_box", 100), attack="square_l2", unit=L2_NORM)
    assert list(summarise([_masked("white_box", 400), queries]).warnings()) == []


# --- headlines and warnings ---


HEADLINES = {
    # survivors of 1000 under each threat model -> the least that counts
    "white box": ({"white_box": 100, "transfer": 400, "gray_box": 300}, "0.1000", "white_box"),
    "transfer": ({"white_box": 400, "transfer": 100, "gray_box": 300}, "0.1000", "transfer"),
    "gray box": ({"white_box": 400, "transfer": 300, "gray_box": 200}, "0.2000", "gray_box"),
    "queries": ({"white_box": 400, "black_box": 50}, "0.0500", "black_box"),
    "no white box": ({"gray_box": 200, "transfer": 300}, "0.2000", "gray_box"),
    "equal": ({"white_box": 100, "transfer": 100}, "0.1000", "white_box"),
    "another space": ({"encoded": 10, "white_box": 400, "transfer": 500}, "0.4000", "white_box"),
}


@pytest.mark.parametrize(("left", "value", "name"), HEADLINES.values(), ids=HEADLINES)
def test_headline_is_the_least_number_of_attacks_on_the_image(left, value: str, name: str) -> None:
    summary = summarise([_masked(threat_model, n) for threat_model, n in left.items()])
    (line,) = summary.headlines()
    assert line.startswith(f"reformer: robust accuracy {value} [") and f" under {name} at " in line
    assert line.endswith("(clean 0.9990, strongest attack fgsm)")


def test_headline_says_where_nothing_attacked_the_image() -> None:
    (line,) = summarise([_masked("encoded", 300)]).headlines()
    assert "robust accuracy 0.3000" in line and "under encoded" in line
    assert line.endswith("strongest attack fgsm; no attack on the image was run)")


def test_headlines_are_all_of_one_budget() -> None:
    # The only attack that asks for scores alone is also shown without limit, where it always wins.
    budgets = {"epsilons": (0.0, 0.05, 1.0), "fallen": (range(0), range(2), range(9))}
    queries = [
        _cell(defence, "black_box", "single_pixel", **budgets) for defence in ("none", "reformer")
    ]
    gradient = _cell("reformer", epsilons=(0.0, 0.05), fallen=(range(0), range(5)))
    summary = summarise([queries[0], gradient, queries[1]])
    none, reformer = summary.headlines()
    assert "none: robust accuracy 0.7000" in none and "at epsilon 0.05 " in none
    assert (
        "reformer: robust accuracy 0.4000" in reformer and "white_box at epsilon 0.05" in reformer
    )
    assert dict(summary.headline_metrics)["headline/epsilon"] == 0.05


def test_query_attack_without_limit_masks_no_gradient() -> None:
    budgets = {"epsilons": (0.0, 0.05, 1.0), "fallen": (range(0), range(2), range(999))}
    unlimited = _cell(attack="single_pixel", n=1000, **budgets)
    gradient = _cell(epsilons=(0.0, 0.05), fallen=(range(0), range(500)), n=1000)
    assert list(summarise([gradient, unlimited]).warnings()) == []


def test_metrics_of_the_headline_say_what_it_says() -> None:
    summary = summarise([_masked("white_box", 400), _masked("transfer", 100)])
    found = dict(summary.headline_metrics)
    assert set(found) == {"headline/epsilon"} | {
        f"headline/robust_accuracy{end}/reformer" for end in ("", "_low", "_high")
    }
    value, low, high = (
        found[f"headline/robust_accuracy{end}/reformer"] for end in ("", "_low", "_high")
    )
    (line,) = summary.headlines()
    assert f"robust accuracy {value:.4f} [{low:.4f}, {high:.4f}] under transfer" in line
    assert f"at epsilon {found['headline/epsilon']:g} " in line and value == 0.1


def test_one_headline_a_defence() -> None:
    cells = [_cell(defence) for defence in ("none", "encoded", "reformer")]
    lines = list(summarise(cells).headlines())
    assert [line.split(":")[0] for line in lines] == ["none", "encoded", "reformer"]


WARNINGS = {
    # threat model, survivors of 1000 there and under white_box -> warned
    "transfer far below": ("transfer", 100, 400, True),
    "gray box far below": ("gray_box", 100, 400, True),
    "intervals overlap": ("transfer", 390, 400, False),
    "equal": ("transfer", 400, 400, False),
    "as it should be": ("transfer", 800, 400, False),
    "behind the autoencoder is another space": ("encoded", 100, 400, False),
}


@pytest.mark.parametrize(("name", "there", "white", "warned"), WARNINGS.values(), ids=WARNINGS)
def test_masked_gradients(name: str, there: int, white: int, warned: bool) -> None:
    summary = summarise([_masked("white_box", white), _masked(name, there)])
    lines = list(summary.warnings())
    assert bool(lines) == warned
    for line in lines:
        assert line.startswith(f"fgsm on reformer: {name} leaves 0.1000, white_box 0.4000: ")


def test_no_threat_model_that_perturbs_outputs_tells_of_masking(monkeypatch) -> None:
    another = replace(THREAT_MODELS["encoded"], name="another")
    monkeypatch.setitem(THREAT_MODELS._entries, "another", another)
    summary = summarise([_masked("white_box", 400), _masked("another", 100)])
    assert list(summary.warnings()) == []


def test_masking_is_found_attack_by_attack() -> None:
    masked = [_masked("white_box", 400), _masked("transfer", 100)]
    sound = [
        replace(_masked("white_box", 50), attack="bim"),
        replace(_masked("transfer", 300), attack="bim"),
    ]
    summary = summarise([*masked, *sound])
    assert [row.worst_at_reference.value for row in summary.rows] == [0.05, 0.1]  # hides it
    (line,) = summary.warnings()
    assert line.startswith("fgsm on reformer: transfer leaves 0.1000")


def _following(attack: str, left: int, stuck: int = 0) -> CellResult:
    """Return a cell of an attack whose gradient is zero at some of 1000 images."""
    cell = replace(_masked("white_box", left), attack=attack)
    return replace(cell, no_gradient=np.arange(1000) < stuck)


ANSWERS = {
    "it leaves fewer than both": (_following("apgd_t", 20), True),
    "it leaves more than the blind attack": (_following("apgd_t", 200), False),
    "it has no gradient itself": (_following("apgd_t", 20, stuck=800), False),
    "it follows none": (replace(_masked("white_box", 20), attack="deepfool_l2"), False),
}


@pytest.mark.parametrize(("other", "answered"), ANSWERS.values(), ids=ANSWERS)
def test_doubt_is_a_note_where_an_attack_with_a_gradient_leaves_less(other, answered) -> None:
    masked = [_following("fgsm", 400, stuck=700), _masked("transfer", 100)]
    summary = summarise([*masked, other])
    assert list(summarise(masked).notes()) == []
    said = [line[:28] for line in summary.warnings() if line.startswith("fgsm")]
    if answered:
        (note,) = summary.notes()
        assert said == [] and note == (
            "fgsm on reformer under white_box: the gradient is masked, so robustness is "
            "overstated there; apgd_t, whose gradient is not, leaves 0.0200"
        )
    else:
        assert "fgsm on reformer: transfer l" in said


def test_doubt_of_an_attack_with_fewer_budgets_than_the_row() -> None:
    grey = replace(
        _cell(attack="lr_natural", epsilons=(0.1,), fallen=(range(5),), bounded=False, n=1000),
        keeps_budget=False,
        no_gradient=np.ones(1000, bool),
    )
    (line,) = summarise([_masked("white_box", 400, "none"), grey]).warnings()
    assert line.startswith("lr_natural on none under white_box: its gradient is exactly zero")


def test_defences_are_not_compared_with_each_other() -> None:
    cells = [_masked("white_box", 400), _masked("transfer", 100, defence="none")]
    assert list(summarise(cells).warnings()) == []


# --- models that learned nothing ---


def _learned(labels: list[int], clean: list[int], defence: str = "none") -> CellResult:
    """Return a cell of images of several classes, without any attack that succeeds."""
    found = np.array(clean)
    cell = replace(_cell(defence, n=len(labels)), labels=np.array(labels), clean=found)
    return replace(cell, attacked=np.stack([found, found]))


ELEVEN = [0] * 3 + [1] * 4 + [2] * 4
LEARNED = {
    # labels and predictions -> what is said; wilson's lower bound of 1.0 of eleven is 0.7412
    "all of them": (ELEVEN, ELEVEN, ""),
    "one class, not the most frequent": (ELEVEN, [0] * 11, "is predicted as class 0"),
    "one class, the most frequent": ([1] * 60 + [2] * 40, [1] * 100, "is predicted as class 1"),
    "nothing accepted": (ELEVEN, [-1] * 11, "every test image is rejected"),
    # 50 of 100 is [0.4038, 0.5962]: it contains 0.45 and leaves out 0.40
    "interval holds the share": (
        [0] * 45 + [1] * 30 + [2] * 25,
        [0] * 25 + [1] * 20 + [1] * 25 + [2] * 5 + [2] * 0 + [0] * 25,
        "clean accuracy 0.5000 [0.4038, 0.5962] is not above 0.4500",
    ),
    "interval above the share": (
        [0] * 40 + [1] * 35 + [2] * 25,
        [0] * 25 + [1] * 15 + [1] * 25 + [2] * 10 + [0] * 25,
        "",
    ),
    "below": (
        [0] * 60 + [1] * 40,
        [0] * 20 + [1] * 40 + [0] * 30 + [1] * 10,
        "is not above 0.6000",
    ),
    "images of one class": ([3] * 10, [3] * 10, ""),
}


@pytest.mark.parametrize(("labels", "clean", "said"), LEARNED.values(), ids=LEARNED)
def test_model_that_learned_nothing_is_a_warning(labels, clean, said: str) -> None:
    summary = summarise([_learned(labels, clean)])
    lines = list(summary.warnings())
    assert len(lines) == bool(said)
    for line in lines:
        assert line.startswith("none: ") and said in line and "--epochs" in line
        assert f"\nWarning: {line}.\n" in _markdown(summary)


def test_defences_that_learned_nothing_are_named_once_together() -> None:
    cells = [
        replace(_learned(ELEVEN, [1] * 11, defence), threat_model=threat_model)
        for defence in ("none", "reformer")
        for threat_model in ("transfer", "gray_box")
    ]
    (line,) = summarise([*cells, _learned(ELEVEN, ELEVEN, "encoded")]).warnings()
    assert line.startswith("none, reformer: every test image is predicted as class 1, so no number")


def test_confusion_matrix_tells_the_same() -> None:
    judged = chance.from_counts("it", [[0, 3, 0], [0, 4, 0], [0, 4, 0]])
    assert judged.labels.tolist() == ELEVEN and judged.clean.tolist() == [1] * 11
    (line,) = chance.warnings([judged])
    assert line.startswith("it: every test image is predicted as class 1")


# --- text ---


def test_table_and_header_agree() -> None:
    grey = {"epsilons": (0.0, 16 / 255), "bounded": False}
    summary = summarise([_cell(), _cell(attack="lr_natural", **grey)])
    assert header(summary) == [
        "defence",
        "threat model",
        "clean",
        "fgsm ε=0.1",
        "lr_natural ε=16/255",
        "worst case",
        "95 % interval",
    ]
    # Wilson for 4 of 10: 0.1682 to 0.6873.
    assert table(summary) == [
        ["none", "white_box", "0.9000", "0.4000", "0.4000", "0.4000", "[0.1682, 0.6873]"]
    ]


GOLDEN = f"""\
# Attacks

**reformer: robust accuracy 0.1000 [0.0829, 0.1202] under transfer at epsilon 0.1 (clean 0.9990, \
strongest attack fgsm)**

Warning: fgsm on reformer: transfer leaves 0.1000, white_box 0.4000: the white-box gradient is \
masked, so its number overstates robustness.

{TABLES}

<a id="robust-accuracy"></a>

## Robust accuracy

Accuracy over all 1000 attacked images, without attack (a rejected image is an error) and under \
each attack at its reference budget (a rejected image is correct). Worst case: an image is lost if \
any attack changes its class. Wilson's 95 % interval over images. \
(`tables/robust_accuracy.csv`, `.tex`)

| defence | threat model | clean | fgsm ε=0.1 | worst case | 95 % interval |
| --- | --- | --- | --- | --- | --- |
| reformer | white_box | 0.9990 | 0.4000 | 0.4000 | [0.3701, 0.4307] |
| reformer | transfer | 0.9990 | 0.1000 | 0.1000 | [0.0829, 0.1202] |

<a id="notes"></a>

## Notes

- seed 0
- MNIST
"""


def test_markdown() -> None:
    summary = summarise([_masked("white_box", 400), _masked("transfer", 100)])
    assert _markdown(summary, "Attacks", "seed 0", "MNIST") == GOLDEN


# --- the run's name and its notes ---


FEATURES = {"defence": "features", "threat_models": "white_box"}
TRAINED = {
    # flags -> the run's name without data and seed, and its networks
    "vanilla": (
        {"threat_models": "white_box"},
        "vanilla + dense",
        [
            "`autoencoder`: vanilla, epochs=35, loss=categorical_crossentropy",
            "`raw`: dense, epochs=35",
            "`encoded`: dense, epochs=35",
        ],
    ),
    "magnet": (
        {"defence": "magnet", "threat_models": "gray_box", "classifier": "convolutional"},
        "magnet_1 + magnet_2 + convolutional",
        [
            "`magnet_1`: magnet_1, epochs=100, loss=mean_squared_error",
            "`magnet_2`: magnet_2, epochs=100, loss=mean_squared_error",
            "`raw`: convolutional, epochs=50",
        ],
    ),
    "funn": (
        {"autoencoder": "funn", "loss": "binary_crossentropy", **FEATURES},
        "funn + dense",
        ["`autoencoder`: funn, epochs=40", "`features`: head, epochs=20"],
    ),
    "no autoencoder": (
        {"defence": "none", "threat_models": "transfer"},
        "dense",
        ["`raw`: dense, epochs=35", "`surrogate`: dense, epochs=35"],
    ),
}


@pytest.mark.parametrize(("flags", "kinds", "said"), TRAINED.values(), ids=TRAINED)
def test_name_and_notes_of_a_run_are_about_what_was_trained(
    flags, kinds, said, monkeypatch
) -> None:
    def trained(training: Training[Trainable], *more: Any) -> TrainedNetwork:
        return TrainedNetwork(training, cast(Any, None), "")

    for name in ("ensure_autoencoder", "ensure_classifier"):
        monkeypatch.setattr(networks, name, trained)
    config = AttackConfig(**flags)
    notes = attack.notes(
        config, TrackedRun("r", "e"), networks.ensure_networks(config, cast(Any, None))
    )
    assert attack.made_of(config) == kinds
    assert [n.removeprefix("network ") for n in notes if n.startswith("network ")] == said


def test_notes_name_each_threat_model_that_perturbs_outputs(monkeypatch) -> None:
    another = replace(THREAT_MODELS["encoded"], name="another")
    monkeypatch.setitem(THREAT_MODELS._entries, "another", another)
    config = AttackConfig(defence="encoded")
    said = "\n".join(attack.notes(config, TrackedRun("r", "e"), {}))
    for name in ("encoded", "another"):
        assert f"`{name}` perturbs the autoencoder's output" in said
    plain = attack.notes(AttackConfig(threat_models="white_box"), TrackedRun("r", "e"), {})
    assert "perturbs" not in "\n".join(plain)


# --- minimum-norm attacks and threat models that not all attacks have ---


def _norm(fallen_at_once: range) -> CellResult:
    budgets = {"epsilons": (0.0, 0.1, 1.0), "fallen": (range(0), range(2), fallen_at_once)}
    return _cell(attack="deepfool_l2", **budgets)


def test_minimum_norm_attack_falls_in_line_with_the_others_budgets() -> None:
    (row,) = summarise([_norm(range(9)), _cell(fallen=(range(0), range(1, 5)))]).rows
    assert row.epsilons == (0.0, 0.1)
    assert row.worst_at_reference.value == 0.4  # 0 to 4 fall, 9 was wrong before
    assert row.strongest.attack == "fgsm"


def test_minimum_norm_table_is_over_all_that_was_found() -> None:
    cell = _norm(range(8))
    assert norm_table(summarise([_cell(), cell])) == [
        [
            "none",
            "white_box",
            "deepfool_l2",
            "0.8000",
            f"[{cell.success_rate.low:.4f}, {cell.success_rate.high:.4f}]",
            "2",
            "",
        ]
    ]
    assert "deepfool_l2 | 0.8000" in _markdown(summarise([cell]))


def test_noise_level_is_of_successes_alone() -> None:
    cell = _norm(range(2))
    noise = np.zeros_like(cell.noise_l2)
    noise[-1] = np.arange(N)
    assert replace(cell, noise_l2=noise).noise_level == 0.5  # images 0 and 1; 9 was wrong before


def test_row_without_an_attack_leaves_its_column_empty() -> None:
    summary = summarise([_cell(), _cell(attack="square"), _cell("none", "black_box", "square")])
    assert header(summary)[3:5] == ["fgsm ε=0.1", "square ε=0.1"]
    assert table(summary)[1][3:5] == ["", "0.4000"]


def test_queries_that_beat_every_gradient_are_a_warning() -> None:
    def cell(attack: str, survivors: int) -> CellResult:
        return replace(_masked("white_box", survivors), attack=attack)

    (said,) = summarise([cell("fgsm", 900), cell("bim", 700), cell("square", 600)]).warnings()
    assert said.startswith(
        "square on reformer, queries alone: leaves 0.6000, the best gradient attack (bim) 0.7000"
    )
    assert not list(summarise([cell("bim", 600), cell("square", 600)]).warnings())
    assert not list(summarise([cell("square", 600)]).warnings())
