"""A training that is cut off goes on where it was, to the same bits, whatever it trains."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import pytest
from models import N_CLASSES, blobs, train_autoencoder, train_classifier
from servers import tracking_to, wait_until
from stored import runs_of, stored_model

from gauntlet.__main__ import main
from gauntlet.config.training import AutoencoderConfig, ClassifierConfig
from gauntlet.entry_points import classifier
from gauntlet.pipeline.training_run import TrainingRun
from gauntlet.tracking.runs import resume_from
from gauntlet.training import keras_loops
from gauntlet.training.checkpoint import Checkpoint

IMAGES, LABELS = blobs(36)
TINY = {
    "preset": "smoke",
    "widths": (6,),
    "epochs": 4,
    "batch_size": 10,
    "init_epochs": 2,
    "filters": (3,),
    "features": 3,
}
History = dict[int, dict[str, float]]
Train = Callable[[keras_loops.EpochReport, Checkpoint | None], list[np.ndarray]]


def _train(
    report: keras_loops.EpochReport, checkpoint: Checkpoint | None, **changes
) -> list[np.ndarray]:
    config = AutoencoderConfig(**TINY, **changes)
    return train_autoencoder(config, IMAGES, report, checkpoint=checkpoint).get_weights()


def _train_with_noise(
    report: keras_loops.EpochReport, checkpoint: Checkpoint | None
) -> list[np.ndarray]:
    config = ClassifierConfig(**TINY, train_on="noisy")
    data = IMAGES, LABELS, N_CLASSES
    return train_classifier(config, *data, report, checkpoint=checkpoint).get_weights()


TRAININGS: dict[str, tuple[Train, list[int]]] = {
    # Noise and an order to go on with; a cut in each phase of the game.
    "fit": (partial(_train, autoencoder="denoising", noise=0.3, validation_size=6), [3]),
    "noise": (_train_with_noise, [3]),
    "funn": (partial(_train, autoencoder="funn"), [2, 4]),
}


@pytest.fixture(autouse=True)
def every_epoch_is_kept(monkeypatch) -> None:
    monkeypatch.setattr(keras_loops, "CHECKPOINT_SECONDS", -1.0)


class _CutError(Exception):
    """The end of a process, as far as the files are concerned."""


def _report(into: History, cut_in: int | None = None) -> keras_loops.EpochReport:
    def report(epoch: int, metrics: dict[str, float]) -> None:
        if epoch == cut_in:
            raise _CutError  # before the epoch is kept
        into[epoch] = metrics

    return report


@pytest.mark.slow  # three trainings each
@pytest.mark.parametrize("name", TRAININGS)
def test_resumed_training_ends_with_the_same_bits(name, tmp_path) -> None:
    train, cuts = TRAININGS[name]
    whole: History = {}
    expected = train(_report(whole), None)
    for cut_in in cuts:
        with pytest.raises(_CutError):
            train(_report({}, cut_in), Checkpoint(tmp_path / "c.npz", "training", "cut"))
    resumed: History = {}
    checkpoint = Checkpoint(tmp_path / "c.npz", "training", "last")
    assert checkpoint.found is not None and len(checkpoint.found.history) == cuts[-1] - 1
    received = train(_report(resumed), checkpoint)
    assert resumed == whole and list(resumed) == [1, 2, 3, 4]
    assert all(np.array_equal(a, b) for a, b in zip(received, expected, strict=True))


def test_finished_training_is_not_trained_further(tmp_path) -> None:
    checkpoints = [Checkpoint(tmp_path / "c.npz", "training", name) for name in ("one", "two")]
    histories: list[History] = [{}, {}]
    one, two = (
        _train(_report(history), checkpoint)
        for history, checkpoint in zip(histories, checkpoints, strict=True)
    )
    assert histories[0] == histories[1]
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_short_epochs_are_not_kept_each(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(keras_loops, "CHECKPOINT_SECONDS", 3600.0)
    _train(_report({}), Checkpoint(tmp_path / "c.npz", "training", "run"))
    assert not list(tmp_path.iterdir())


def test_epochs_see_the_images_in_orders_of_their_own() -> None:
    orders = [
        keras_loops.shuffled(36, keras_loops.epoch_seed(3, epoch)).numpy() for epoch in (1, 2)
    ]
    assert all(sorted(order) == list(range(36)) for order in orders)
    assert not np.array_equal(*orders) and not np.array_equal(orders[0], np.arange(36))


# --- as runs ---


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAUNTLET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _interrupt_in(epoch: int, monkeypatch) -> None:
    report = TrainingRun.report

    def interrupted(training: TrainingRun, now: int, metrics: dict[str, float]) -> None:
        if now == epoch:
            raise KeyboardInterrupt
        report(training, now, metrics)

    monkeypatch.setattr(TrainingRun, "report", interrupted)


def _trainings(client: mlflow.MlflowClient):
    """Return the runs of all trainings, the oldest first."""
    found = runs_of(client, "tags.`gauntlet.step` != 'examination'")
    return sorted(found, key=lambda run: run.info.start_time)


def _curve(client, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in client.get_metric_history(run_id, name)]


@pytest.mark.slow
def test_killed_run_is_resumed_by_the_next(store, cache, tiny, monkeypatch, capsys) -> None:
    config = tiny("classifier")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        _interrupt_in(3, patch)
        classifier.run(config)
    assert len(list((cache / "checkpoints").iterdir())) == 1
    assert "resumed" not in capsys.readouterr().out
    network = classifier.run(config)
    assert "resumed after epoch 2 of 4\n" in capsys.readouterr().out
    killed, finished = _trainings(store)
    assert (killed.info.status, finished.info.status) == ("KILLED", "FINISHED")
    assert finished.data.tags["gauntlet.resumed_from"] == killed.info.run_id
    assert "gauntlet.resumed_from" not in killed.data.tags
    for name in ("train/loss", "train/accuracy"):
        before, after = (_curve(store, run.info.run_id, name) for run in (killed, finished))
        assert before and after[: len(before)] == before
    assert not list((cache / "checkpoints").iterdir())
    assert network.stored.run_id == finished.info.run_id


@pytest.mark.slow
def test_interrupted_run_may_be_gone(store, cache, tiny, monkeypatch, capsys) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        _interrupt_in(3, patch)
        classifier.run(tiny("classifier"))
    monkeypatch.setattr(
        "gauntlet.pipeline.training_run.resume_from", lambda run, _: resume_from(run, "0" * 32)
    )
    classifier.run(tiny("classifier"))
    assert "resumed after epoch 2 of 4\n" in capsys.readouterr().out


# --- as processes ---

FLAGS = {
    "vanilla": ["--epochs=80"],
    "funn": ["--autoencoder=funn", "--epochs=30", "--filters=8,16", "--features=16"],
}
IMPATIENT = """
import sys
from gauntlet import __main__
from gauntlet.training import keras_loops
keras_loops.CHECKPOINT_SECONDS = 0.1
sys.exit(__main__.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLAGS)
def test_kill_9_and_resume_gives_the_same_bits(
    kind, new_store, start, tmp_path, monkeypatch, capsys
) -> None:
    command = ["python", "-c", IMPATIENT, "autoencoder", "--preset=smoke", *FLAGS[kind]]
    uris = {name: new_store() for name in ("cut", "whole")}
    monkeypatch.setenv("GAUNTLET_CACHE", str(tmp_path / "cache"))
    process = start(*command, uri=uris["cut"])
    wait_until(lambda: any(tmp_path.glob("cache/checkpoints/*.npz")), process, 120)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    process = start(*command, uri=uris["cut"])
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0 and "resumed after epoch " in out, err
    with tracking_to(uris["whole"], tmp_path):  # this process trains it too
        assert main(["autoencoder", "--preset=smoke", *FLAGS[kind]]) == 0
    assert "resumed after epoch " not in capsys.readouterr().out
    digests = []
    for uri in uris.values():
        with tracking_to(uri, tmp_path) as client:
            runs = _trainings(client)
            digests.append(stored_model(runs[-1].info.run_id).weights_sha256)
        killed = ["KILLED"] if uri == uris["cut"] else []
        assert [run.info.status for run in runs] == [*killed, "FINISHED"]
    assert digests[0] == digests[1]
    assert not any(tmp_path.glob("cache/checkpoints/*"))
