"""What hides a secret, and what it leaves alone."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Run

from gauntlet.__main__ import main
from gauntlet.config.command_line import parse
from gauntlet.errors import TrackingError, UsageError
from gauntlet.masking import mask, mask_address, remember
from gauntlet.pipeline.console import say, show_log
from gauntlet.tracking.runs import tracked_run
from gauntlet.tracking.store import tracking_uri
from gauntlet.variables import variables
from tuning.config import TuneConfig

ROOT = Path(__file__).parents[1]
PG = "postgresql+psycopg://"

READABLE = {
    "http://user:P4ss-word@host:5000/mlflow": "http://***@host:5000/mlflow",
    "http://T0ken-in-front@host": "http://***@host",
    "HTTPS://user:P4ss-word@host": "HTTPS://***@host",
    f"{PG}user:P4ss%2Fword@host/db": f"{PG}***@host/db",
    f"{PG}host/db?user=me&password=P4ss-word&x=1": f"{PG}host/db?user=me&password=***&x=1",
    f"{PG}user:P4ss-word@host/db?sslpassword=0ther-one": f"{PG}***@host/db?sslpassword=***",
    "https://host/blob?sv=1&sig=P4ss-word": "https://host/blob?sv=1&sig=***",
    "http://[::1]:5000/?access_token=P4ss-word#top": "http://[::1]:5000/?access_token=***#top",
}

UNREADABLE = [
    "http://user:P4ss/word@host",
    "http://user:P4ss#word@host",
    "http://user:P4ss?word@host",
    "http://user:P4ss@word@host",
    "http://user:P4ss word@host",
    "http://user:P4ss\\word@host",
    "http://user:[P4ssword@host",
    "http://user:P4ssword",
    "http://12345:67/P4ssword@host",
    "user:P4ssword@host:5000",
]

HARMLESS = [
    "http://127.0.0.1:5000/#/experiments/1",
    "https://cdn.example.org/npm/mnist@1.0/mnist.npz",
    "sqlite:////home/me@work/mlflow.db",
    "file:///home/me@work/mlartifacts",
    "robust accuracy 1.0000 of attack pgd, seed 1000, digits, mail me@example.org",
]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is known of other tests, or of whoever runs these."""
    monkeypatch.setattr("gauntlet.masking._remembered", set())
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("GAUNTLET_STORAGE", raising=False)
    yield


@pytest.mark.parametrize("address", READABLE)
def test_address_is_masked_by_its_structure(address: str) -> None:
    assert mask_address(address) == READABLE[address]
    assert mask_address(READABLE[address]) == READABLE[address]
    assert mask(f"cannot reach '{address}' at all") == f"cannot reach '{READABLE[address]}' at all"


@pytest.mark.parametrize("address", UNREADABLE)
def test_address_that_libraries_would_quarrel_about_is_masked_whole(address: str) -> None:
    assert "P4ss" not in mask_address(address) and "word" not in mask_address(address)
    remember(address)
    assert "P4ss" not in mask(f"received {address!r}, that is {address}")


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "name",
    ["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"],
)
def test_values_of_the_environment_are_masked_anywhere(name: str, monkeypatch) -> None:
    monkeypatch.setenv(name, "S3cret&/more")
    for form in ("S3cret&/more", "S3cret%26%2Fmore", "S3cret%26/more", "S3cret&amp;/more"):
        assert mask(f"<{form}>x{form}") == "<***>x***"


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "GAUNTLET_MNIST_MIRROR", "HTTPS_PROXY"])
def test_parts_of_a_known_address_are_masked_anywhere(name: str, monkeypatch) -> None:
    monkeypatch.setenv(name, "http://robot-77:P4ss%26word@host:81/x?token=Qu3ry-one")
    for part in ("P4ss%26word", "P4ss&word", "Qu3ry-one", "robot-77"):
        assert mask(f"nonnumeric port: '{part}'") == "nonnumeric port: '***'"
    assert mask("port: 'P4ss%26word@host'") == "port: '***@host'"


@pytest.mark.parametrize("word", ["digits", "1000", "attack", "FINISHED", "pw"])
def test_plain_words_and_numbers_falsify_no_result(word: str, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:{word}@host")
    line = "attack on digits FINISHED: 0.1000 of 1000, pw"
    assert mask(line) == line
    assert mask(f"at http://me:{word}@host") == "at http://***@host"


def test_short_value_is_no_part_of_a_longer_word(monkeypatch) -> None:
    monkeypatch.setenv("X_TOKEN", "ab12cd")
    digest = "0ab12cd9, ab12cd9"
    assert mask(digest) == digest
    assert mask("ab12cd, :ab12cd@, %3Aab12cd%40") == "***, :***@, %3A***%40"


def test_everything_that_a_process_prints_is_masked() -> None:
    script = (
        "import logging, os, sys, warnings\n"
        "from gauntlet.masking import mask_output\n"
        "mask_output()\n"
        "print('one', 'http://me:P4ssword@host')\n"
        "logging.warning('two %s', 'P4ss%26word')\n"
        "warnings.warn('three P4ss&word')\n"
        "raise RuntimeError('four ' + os.environ['MLFLOW_TRACKING_URI'])\n"
    )
    environment = os.environ | {"MLFLOW_TRACKING_URI": "http://me:P4ss%26word@host"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "P4ss" not in said
    assert all(word in said for word in ("one", "two", "three", "four"))


def test_lines_log_records_and_errors_are_masked(capsys) -> None:
    show_log()
    say("at http://me:P4ssword@host")
    logging.getLogger("gauntlet.data").warning("from %s", "http://me:P4ssword@mirror")
    assert "P4ssword" not in capsys.readouterr().out
    assert "P4ssword" not in str(TrackingError("lost http://me:P4ssword@host"))


@pytest.mark.parametrize("uri", [*UNREADABLE, "http://host/?token=P4ssword", "http://host/#/runs"])
def test_tracking_address_that_mlflow_cannot_use_is_one_line(uri: str, monkeypatch, capsys) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert main(["attack", "--preset", "smoke"]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: MLFLOW_TRACKING_URI: expected") and err.count("\n") == 1
    assert "P4ss" not in out + err


def test_server_is_addressed_without_user_and_password(monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:P4ssword@host:81/mlflow")
    assert tracking_uri() == "https://host:81/mlflow"


@pytest.mark.parametrize("name", ["study_name", "dataset", "space", "epochs"])
def test_other_parameters_take_no_password(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name}: expected no address") as error:
        parse("tune", {name: f"{PG}me:P4ssword@host/db"})
    assert "P4ssword" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:P4ssword@h/d",
        f"{PG}me:P4ss/word@h/d",
        f"{PG}h:1/d?password=P4ss@word",
        f"{PG}***@elsewhere/d",
    ],
)
def test_storage_that_is_refused_is_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match="--storage: expected") as error:
        parse("tune", {"storage": url})
    assert "P4ss" not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("given", [{}, {"storage": "auto"}, {"storage": f"{PG}***@host/db"}])
def test_variable_stands_for_the_storage(given: dict[str, str], monkeypatch) -> None:
    monkeypatch.setenv("GAUNTLET_STORAGE", f"{PG}me:P4ssword@host/db")
    config = parse("tune", given)
    assert config["storage"] == f"{PG}me:P4ssword@host/db"
    sent = json.dumps(config.as_json(config.given))
    assert TuneConfig(**json.loads(sent)) == config
    assert "P4ssword" not in sent + json.dumps(config.as_json()) + repr(config)


@pytest.mark.parametrize("given", [{}, {"storage": "auto"}])
def test_variable_that_holds_no_storage_is_refused_and_not_shown(given, monkeypatch) -> None:
    monkeypatch.setenv("GAUNTLET_STORAGE", "mysql://me:P4ssword@host/db")
    with pytest.raises(UsageError, match=r"^--storage: expected auto, sqlite") as error:
        parse("tune", given)
    assert "P4ss" not in str(error.value) and "\n" not in str(error.value)


def test_run_tells_no_secret(store, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "T0ken-one")
    config = parse("tune", {"storage": f"{PG}me:P4ssword@host/db"})
    tags = {"note": "T0ken-one"}
    try:
        opened = tracked_run("studies", "it", config.as_json(), tags=tags, params={"x": "P4ssword"})
        with opened as run:
            run.table("table.json", {"column": ["T0ken-one"]})
            raise RuntimeError("lost http://me:P4ssword@host, T0ken-one" + " " * 5000)
    except RuntimeError:
        found: Run = store.get_run(run.id)
    assert found.data.params["config/storage"] == f"{PG}***@host/db"
    assert found.data.tags["gauntlet.error"].startswith("RuntimeError: lost http://***@host, ***")
    files = [
        store.download_artifacts(run.id, name)
        for name in ("config.json", "traceback.txt", "table.json")
    ]
    kept = "".join([str(found.to_dictionary()), *(Path(file).read_text() for file in files)])
    assert "P4ssword" not in kept and "T0ken-one" not in kept


def test_variables_are_read_while_another_thread_removes_some(monkeypatch) -> None:
    class Removed(dict[str, str]):
        """An environment whose variable `GONE` is removed as soon as it was listed."""

        def __iter__(self) -> Iterator[str]:
            names = [*super().__iter__()]
            self.pop("GONE", None)
            return iter(names)

    monkeypatch.setattr("os.environ", Removed(GONE="1", KEPT="2"))
    assert variables() == {"KEPT": "2"}
