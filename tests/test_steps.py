"""The steps end to end on a few digits: what they keep is what they measured, again and again."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

import mlflow
import numpy as np
import pytest
from servers import tracking_to
from stored import examination_of, load_arrays, runs_of, stored_model
from vocabulary import unnamed

from gauntlet.autoencoders.encoder import reconstruct
from gauntlet.autoencoders.training import reconstruction_loss
from gauntlet.entry_points import attack, autoencoder, classifier
from gauntlet.errors import UsageError
from gauntlet.evaluation.metrics import clean_metrics
from gauntlet.evaluation.statistics import wilson
from gauntlet.examination.autoencoder import reconstruction_metrics
from gauntlet.pipeline.inputs import load_data
from gauntlet.tracking.artifacts import load_model
from gauntlet.tracking.names import Of
from gauntlet.training.keras_loops import predict

CELLS = 20  # 10 combinations of defence and threat model, 2 attacks


@pytest.fixture(scope="module")
def client(attacked, tmp_path_factory) -> Iterator[mlflow.MlflowClient]:
    with tracking_to(attacked.uri, tmp_path_factory.mktemp("steps")) as client:
        yield client


@pytest.fixture(scope="module")
def parent(client, attacked):
    """The attack run itself."""
    run_id = client.get_run(attacked.summary.attacks[0].run_id).data.tags["mlflow.parentRunId"]
    return client.get_run(run_id)


@pytest.fixture(scope="module")
def weights(parent) -> dict[str, str]:
    """Digests of the models of the attack run."""
    names = ("autoencoder", "raw", "encoded", "surrogate")
    runs = {name: parent.data.tags[f"gauntlet.input.{name}"] for name in names}
    return {name: stored_model(run_id).weights_sha256 for name, run_id in runs.items()}


def _cells(attacked):
    return [cell for row in attacked.summary.rows for cell in row.cells]


def _json(run_id: str, name: str):
    return json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{name}"))


def _history(client, run_id: str, metric: str) -> dict[int, float]:
    return {m.step: m.value for m in client.get_metric_history(run_id, metric)}


def test_reloaded_classifier_measures_what_was_logged(client, attacked, parent):
    run_id = parent.data.tags["gauntlet.input.raw"]
    data = load_data(attacked.config).with_all_test_images
    classes = predict(load_model(stored_model(run_id)), data.x_test).argmax(axis=1)
    measured = dict(clean_metrics(data.y_test, classes))
    assert measured.items() <= examination_of(client, run_id).data.metrics.items()
    assert measured["clean/accuracy"] > 0.5  # it has learned something


def test_reloaded_autoencoder_measures_what_was_logged(client, attacked, parent):
    run_id = parent.data.tags["gauntlet.input.autoencoder"]
    x = load_data(attacked.config).with_all_test_images.x_test
    output = reconstruct(load_model(stored_model(run_id)), x)
    loss = reconstruction_loss(attacked.config["loss"])
    measured = dict(reconstruction_metrics(loss, x, output))
    assert len(measured) == 3
    assert measured.items() <= examination_of(client, run_id).data.metrics.items()


def test_training_is_measured_in_a_child_run_with_pictures(client, parent):
    for name, pictures in (("raw", "confusion_matrix.png"), ("autoencoder", "images.png")):
        run_id = parent.data.tags[f"gauntlet.input.{name}"]
        child = examination_of(client, run_id)
        assert child.data.tags["mlflow.parentRunId"] == run_id
        assert pictures in {f.path for f in client.list_artifacts(child.info.run_id)}


def test_learning_curve_has_every_epoch(client, attacked, parent):
    run_id = parent.data.tags["gauntlet.input.autoencoder"]
    epochs = range(1, attacked.config["epochs"] + 1)
    assert set(_history(client, run_id, "train/loss")) == set(epochs)


def test_every_combination_is_a_child_of_the_attack_run(client, attacked, parent):
    condition = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    children = client.search_runs([parent.info.experiment_id], condition)
    assert len(children) == CELLS == len(_cells(attacked))
    assert {c.info.run_id for c in children} == {c.run_id for c in _cells(attacked)}


def test_no_run_is_left_open(client):
    runs = runs_of(client)
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_runs_hold_nothing_that_the_vocabulary_does_not_name(client):
    assert unnamed(client) == ({Of.ATTACK, Of.CELL, Of.TRAINING, Of.EXAMINATION}, [])


def test_metrics_are_stepped_by_epsilon(client, attacked):
    for cell in _cells(attacked):
        assert _history(client, cell.run_id, "adv/accuracy") == {
            round(1000 * e): a for e, a in zip(cell.epsilons, cell.accuracies, strict=True)
        }
        epsilons = _history(client, cell.run_id, "attack/epsilon")
        assert epsilons == {round(1000 * e): e for e in cell.epsilons}


def test_worst_case_is_over_examples(client, attacked, parent):
    for row in attacked.summary.rows:
        history = _history(
            client,
            parent.info.run_id,
            f"worst_case/accuracy/{row.defence}/{row.threat_model}",
        )
        hits = np.logical_and.reduce([cell.correct for cell in row.cells])
        assert list(history.values()) == [wilson(h).value for h in hits]


def test_matrices_count_the_stored_examples(attacked, client):
    for cell in _cells(attacked):
        arrays = load_arrays(cell.run_id, "examples.npz")
        tables = _json(cell.run_id, "confusion_matrices.json")
        assert list(tables) == ["0", "0.1", "0.3"]
        for table, attacked_as in zip(tables.values(), arrays["attacked"], strict=True):
            assert _expand(table["clean"]) == _pairs(arrays["labels"], arrays["clean"])
            assert _expand(table["attacked"]) == _pairs(arrays["labels"], attacked_as)
            assert _expand(table["moved"]) == _pairs(arrays["clean"], attacked_as)


def _pairs(rows, columns) -> list[tuple[int, int]]:
    return sorted(zip(rows.tolist(), columns.tolist(), strict=True))


def _expand(matrix) -> list[tuple[int, int]]:
    """Return the (row, column) pairs that a matrix counts, sorted."""
    counts = np.asarray(matrix["counts"])
    return [pair for pair in np.ndindex(counts.shape) for _ in range(counts[pair])]


def test_attacks_at_budget_nought_change_nothing(attacked, client):
    for cell in _cells(attacked):
        assert np.array_equal(cell.attacked[0], cell.clean)


def test_cells_json_leads_to_each_run(attacked, client, parent):
    expected = {f"{c.defence}/{c.threat_model}/{c.attack}": c.run_id for c in _cells(attacked)}
    assert _json(parent.info.run_id, "cells.json") == expected


def test_summary_and_its_tables_are_artifacts_of_the_run(attacked, client, parent):
    run_id = parent.info.run_id
    assert "<table" in mlflow.artifacts.load_text(f"runs:/{run_id}/summary.html")
    assert {item.path for item in client.list_artifacts(run_id, "tables")} >= {
        "tables/robust_accuracy.csv",
        "tables/robust_accuracy.tex",
    }
    lines = csv.DictReader(
        io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/tables/robust_accuracy.csv"))
    )
    worst = [float(line["worst case: value"]) for line in lines]
    assert worst == [row.worst_at_reference.value for row in attacked.summary.rows]


def test_summary_shows_the_examples_accuracies(attacked, client, parent):
    text = mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/summary.md")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[0] == [
        "defence",
        "threat model",
        "clean",
        "fgsm ε=0.1",
        "noise ε=0.1",
        "worst case",
        "95 % interval",
    ]
    found = attacked.summary.rows
    for row, shown in zip(found, rows[2 : 2 + len(found)], strict=True):
        stored = [load_arrays(c.run_id, "examples.npz") for c in row.cells]
        clean = (stored[0]["clean"] == stored[0]["labels"]).mean()
        hits = [a["attacked"][1] == a["labels"] for a in stored]
        values = [clean, *(h.mean() for h in hits), np.logical_and(*hits).mean()]
        assert shown[:6] == [row.defence, row.threat_model, *(f"{v:.4f}" for v in values)]
    assert parent.info.run_id in text
    epochs = f"epochs={attacked.config['epochs']}, loss=categorical_crossentropy"
    assert f"- network `autoencoder`: vanilla, {epochs}" in text


def test_run_keeps_what_its_attacks_took(attacked, client):
    cells = [cell for row in attacked.summary.rows for cell in row.cells]
    for cell in cells:
        assert cell.cost.seconds > 0
        for name, values in zip(("gradient_calls", "queries"), cell.cost, strict=False):
            logged = client.get_metric_history(cell.run_id, f"attack/{name}")
            by_step = sorted((metric.step, metric.value) for metric in logged)
            assert [value for _, value in by_step] == list(values)
    by_attack = {cell.attack: cell.cost for cell in cells}
    assert by_attack["fgsm"].gradient_calls == (0, 1, 1)
    assert by_attack["noise"].gradient_calls == (0, 0, 0)


def test_console_shows_the_headlines(attacked):
    headlines = list(attacked.summary.headlines())
    assert len(headlines) == 3 and set(headlines) <= set(attacked.said.splitlines())


def test_metrics_of_the_headline_are_the_console_s_to_the_last_digit(attacked, client, parent):
    found = parent.data.metrics
    for defence in ("none", "encoded", "reformer"):
        value, low, high = (
            found[f"headline/robust_accuracy{end}/{defence}"] for end in ("", "_low", "_high")
        )
        said = f"{defence}: robust accuracy {value:.4f} [{low:.4f}, {high:.4f}] under "
        (line,) = [line for line in attacked.said.splitlines() if line.startswith(said)]
        assert f" at epsilon {found['headline/epsilon']:g} (" in line
        assert _history(client, parent.info.run_id, f"headline/robust_accuracy/{defence}") == {
            0: value
        }
    assert _history(client, parent.info.run_id, "headline/epsilon") == {0: 0.1}


NOTHING_LEARNED = {"epochs": "1", "learning_rate": "1e-9"}


@pytest.mark.slow
def test_what_is_not_run_and_what_learned_nothing_stand_at_the_end(store, tiny, capsys):
    config = tiny(
        "attack",
        defence="none",
        threat_models="black_box",
        attacks="fgsm,single_pixel",
        epsilons="0.1",
        max_pixels="1",
        **NOTHING_LEARNED,
    )
    attack.run(config)
    said = capsys.readouterr().out
    (run,) = store.search_runs(
        [store.get_experiment_by_name("attacks").experiment_id], "tags.`gauntlet.step` = 'attack'"
    )
    summary = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/summary.md")
    idle = "skipped: attack fgsm needs gradients: threat models that grant scores alone"
    learned = re.search(r"none: (every test image is predicted|clean accuracy .*not above).*", said)
    assert learned and f"warning: {learned.group()}" in said
    for line in (idle, learned.group()):
        assert line in said and line in summary
    classifier.run(tiny("classifier", **NOTHING_LEARNED))  # the very classifier that was attacked
    assert "warning: the classifier: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "name",
    ["confusion_matrices.png", "accuracy_epsilon.png", "images.png", "classification_report.txt"],
)
def test_every_cell_has_its_pictures(attacked, client, name):
    for cell in _cells(attacked):
        assert name in {f.path for f in client.list_artifacts(cell.run_id)}


def test_attack_run_names_its_test_images_and_models(client, attacked, parent):
    # Other training images make no other test: such runs can be compared.
    sha256 = load_data(attacked.config.replace(train_size=200)).test_sha256
    cells = [client.get_run(cell.run_id) for cell in _cells(attacked)]
    assert {run.data.tags["gauntlet.dataset_sha256"] for run in (parent, *cells)} == {sha256}
    (data,) = parent.inputs.dataset_inputs
    assert sha256.startswith(data.dataset.digest)
    names = ("autoencoder", "raw", "encoded", "surrogate")
    ids = [stored_model(parent.data.tags[f"gauntlet.input.{name}"]).model_id for name in names]
    assert {model.model_id for model in parent.inputs.model_inputs} == set(ids)


@pytest.fixture(scope="module")
def again(attacked, tiny, new_store, tmp_path_factory):
    """The same seed in another fresh store: (its cells' arrays and metrics, weights)."""
    config = tiny("attack", threat_models="white_box")
    with tracking_to(new_store(), tmp_path_factory.mktemp("again")) as client:
        return _results(client, attack.run(config))


def _results(client, summary):
    """Return what the white-box cells of a run found, by cell."""
    found = {}
    for cell in [c for row in summary.rows for c in row.cells if c.threat_model == "white_box"]:
        run = client.get_run(cell.run_id)
        inputs = [v for k, v in run.data.tags.items() if k.startswith("gauntlet.input.")]
        metrics = {k: v for k, v in run.data.metrics.items() if not k.startswith("system/")}
        weights = sorted(stored_model(run_id).weights_sha256 for run_id in inputs)
        found[cell.defence, cell.attack] = weights, metrics, cell.clean, cell.attacked
    return found


@pytest.mark.parametrize(
    "key", [(d, a) for d in ("none", "encoded", "reformer") for a in ("fgsm", "noise")]
)
def test_same_seed_in_a_fresh_store_gives_the_same_bits(attacked, client, again, key):
    weights, metrics, clean, under_attack = _results(client, attacked.summary)[key]
    assert again[key][:2] == (weights, metrics)
    assert np.array_equal(again[key][2], clean)
    assert np.array_equal(again[key][3], under_attack)


@pytest.mark.parametrize(("step", "name"), [(autoencoder, "autoencoder"), (classifier, "raw")])
def test_other_seed_gives_other_weights(weights, store, tiny, step, name):
    other = step.run(tiny(step.__name__.split(".")[-1], seed="1"))
    assert other.stored.weights_sha256 != weights[name]


def test_denoising_without_noise_is_vanilla_and_says_so(weights, store, tiny, capsys):
    stored = autoencoder.run(tiny("autoencoder", autoencoder="denoising"))
    assert stored.stored.weights_sha256 == weights["autoencoder"]
    said = capsys.readouterr().out
    assert said.count("without --noise a denoising autoencoder is a vanilla one") == 1


def test_denoising_with_noise_is_not_vanilla(weights, store, tiny, capsys):
    stored = autoencoder.run(tiny("autoencoder", autoencoder="denoising", noise="0.3"))
    assert stored.stored.weights_sha256 != weights["autoencoder"]
    assert "without --noise" not in capsys.readouterr().out


@pytest.fixture
def own_data(tmp_path) -> str:
    """An npz file with classes 0 to 3."""
    numbers = np.random.default_rng(0)
    images = {f"x_{part}": numbers.random((20, 8, 8), np.float32) for part in ("train", "test")}
    labels = {f"y_{part}": np.arange(20) % 4 for part in ("train", "test")}
    np.savez(tmp_path / "own.npz", **images, **labels)
    return f"npz:{tmp_path}/own.npz"


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("target", "4", "expected a class from 0 to 3"),
        ("lr_target", "7", "expected a class from 0 to 3"),
        ("target_classes", "4", "expected at most the 3 wrong classes of npz:"),
        ("validation_size", "20", "expected less than the 20 training images"),
    ],
)
def test_what_the_data_does_not_allow_is_refused_before_a_run(
    store, tiny, own_data, parameter, value, said
):
    aiming = {"attacks": "t_fgsm,lr_one_target,apgd_t", "target": "0", "lr_target": "0"}
    config = tiny(
        "attack",
        dataset=own_data,
        train_size="all",
        test_size="all",
        **{**aiming, parameter: value},
    )
    with pytest.raises(UsageError, match=rf"^--{parameter}: {said}.*received {value}\.$"):
        attack.run(config)
    assert not runs_of(store)


def test_target_that_no_known_data_set_has_is_refused_before_a_run(store, tiny):
    with pytest.raises(UsageError, match="--target: expected a class from 0 to 9"):
        attack.run(tiny("attack", attacks="t_fgsm", target="12"))
    assert not runs_of(store)


def test_defence_encoded_trains_its_autoencoder_first(store, tiny, capsys):
    network = classifier.run(tiny("classifier", train_on="encoded", epochs="1"))
    tags = store.get_run(network.stored.run_id).data.tags
    before = store.get_run(tags["gauntlet.input.autoencoder"])
    assert before.data.tags["gauntlet.step"] == "autoencoder"
    capsys.readouterr()
    again = classifier.run(tiny("classifier", train_on="encoded", epochs="1"))
    assert again == network and capsys.readouterr().out.count(": reused run ") == 2


def test_logistic_regression_is_logged_like_any_other(store, tiny):
    config = tiny("classifier", classifier="logistic_regression")
    network = classifier.run(config)
    data = load_data(config).with_all_test_images
    classes = predict(load_model(network.stored), data.x_test).argmax(axis=1)
    accuracy = store.get_run(network.examination).data.metrics["clean/accuracy"]
    assert accuracy == (classes == data.y_test).mean() > 0.8


def test_budgets_of_two_norms_stand_apart_in_one_run(store, tiny, capsys):
    given = {"attacks": "fgsm,pgd_l2", "epsilons": "0.1", "l2_epsilons": "0.5,1.5"}
    config = tiny("attack", defence="none", threat_models="white_box", **given)
    linf, l2 = attack.run(config).rows
    said = capsys.readouterr().out
    assert "under white_box at epsilon 0.1 (clean" in said
    assert "under white_box at epsilon 1.5 in L2 (clean" in said and "1.5 in L2" in said
    cell = store.get_run(l2.cells[0].run_id)
    parent = store.get_run(cell.data.tags["mlflow.parentRunId"])
    found = parent.data.metrics
    assert (found["headline/epsilon"], found["headline/epsilon_l2"]) == (0.1, 1.5)
    assert found["headline/robust_accuracy_l2/none"] == l2.worst_at_reference.value
    curve = _history(store, parent.info.run_id, "worst_case/accuracy_l2/none/white_box")
    assert curve == dict(zip((500, 1500), l2.accuracies, strict=True))
    assert _json(cell.info.run_id, "cell.json")["unit"]["norm"] == "l2"
    files = {file.path for file in store.list_artifacts(parent.info.run_id)}
    assert {"worst_case.png", "worst_case_l2.png"} <= files
    assert (l2.cells[0].noise_l2.max(axis=1) <= np.array([0.5, 1.5]) + 1e-6).all()
    again = attack.run(config).rows
    assert [row.cells[0].run_id for row in again] == [row.cells[0].run_id for row in (linf, l2)]
    assert again[1].cells[0].unit == l2.cells[0].unit and unnamed(store)[1] == []
