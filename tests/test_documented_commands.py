"""Every command that README, CONTRIBUTING, the manual and `--help` show is one that works."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import click
import mlflow.cli
import numpy as np
import pytest
from documented import ROOT, commands, fragments, parameters

from gauntlet.__main__ import main, read_arguments
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.config.attack import AttackConfig
from gauntlet.config.command_line import config_class, parse
from gauntlet.errors import UsageError
from tuning.spaces import SPACES

COMMANDS = [pytest.param(words, id=shlex.join(words)) for words in commands()]
FRAGMENTS = [pytest.param(words, id=shlex.join(words)) for words in fragments()]

SMALL = {
    "preset": "smoke",
    "train_size": "300",
    "test_size": "20",
    "epochs": "1",
    "steps": "3",
    "restarts": "1",
    "epsilons": "0,0.1",
    "eot_samples": "2",
    "judge_draws": "2",
    "smoothing_n": "100",
}
"""What makes a training or an attack one of seconds."""

QUICK_CELLS = 4


def _asked(words: list[str]) -> tuple[str, dict[str, str]]:
    """Return entry point and values of a command, read by what reads it for a user."""
    if words[0] == "python":
        assert words[1:3] == ["-m", "gauntlet"]
        return read_arguments(words[3:])
    name = words[1]
    context = mlflow.cli.cli.commands[name].make_context(name, list(words[2:]))
    if name != "run":
        return "", {}
    assert context.params["uri"] in (".", str(ROOT))
    return context.params["entry_point"], parameters(words)


def _made(words: list[str]) -> list[list[str]]:
    """Return what `make` would run, as words."""
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", *words[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if "mlflow run" in line]


@pytest.mark.parametrize("words", COMMANDS)
def test_command_is_accepted(words: list[str]) -> None:
    if words[0] == "make":
        asked = [_asked(made[made.index("mlflow") :]) for made in _made(words)]
        assert bool(asked) == (words[1:2] == ["attack"])
    elif "--help" in words:
        with pytest.raises(SystemExit, match="0"):
            main(words[3:])
        return
    else:
        asked = [_asked(words)] if len(words) > 2 else []
    for entry_point, values in asked:
        assert not entry_point or parse(entry_point, values)


@pytest.mark.parametrize("words", FRAGMENTS)
def test_parameters_are_those_of_an_entry_point(words: list[str]) -> None:
    values = parameters(words)
    studies = [{}, *({"study": study} for study in SPACES)]
    assert any(_accepts(name, study | values) for name in ENTRY_POINTS for study in studies)


def _accepts(entry_point: str, values: dict[str, str]) -> bool:
    try:
        return bool(parse(entry_point, values))
    except UsageError:
        return False


def _entry_points() -> list[tuple[str, dict[str, str]]]:
    """Return entry point and values of every command, also of those that `make` runs."""
    shown = [words for words in commands() if "--help" not in words]
    made = [m[m.index("mlflow") :] for words in shown if words[0] == "make" for m in _made(words)]
    return [_asked(words) for words in shown + made if words[0] != "make" and len(words) > 2]


def test_the_texts_show_every_entry_point() -> None:
    assert {name for name, _ in _entry_points()} == {*ENTRY_POINTS}
    assert len(commands()) > 30 and len(fragments()) > 5


def test_a_command_that_is_none_is_found_out() -> None:
    with pytest.raises(click.NoSuchOption):
        _asked(["mlflow", "run", ".", "--entry", "attack", "--paper", "all"])
    assert not _accepts("tune", {"space": "gamma=2..20 loss=mean_squared_error epochs=30"})


def _is_quick(entry_point: str, values: dict[str, str]) -> bool:
    """Tell whether a command trains networks alone, or attacks them in few cells."""
    config = parse(entry_point, values)
    if not isinstance(config, AttackConfig):
        return entry_point in ("autoencoder", "classifier")
    if config.takes:  # no small images
        return False
    cells = sum(len(config.attacks_under(model)) for _, model in config.combinations())
    return entry_point != "tune" and cells <= QUICK_CELLS


@pytest.mark.slow
def test_every_quick_command_runs(store, tmp_path: Path, capsys) -> None:
    """In one process, on few images; other tests run longer ones."""
    images = np.random.default_rng(0).integers(0, 255, (300, 8, 8), np.uint8)
    labels = np.arange(300) % 10
    np.savez(
        tmp_path / "my_data.npz",
        x_train=images,
        y_train=labels,
        x_test=images[:20],
        y_test=labels[:20],
    )
    quick = [asked for asked in _entry_points() if asked[0] and _is_quick(*asked)]
    assert len(quick) > 5
    for entry_point, values in quick:
        fields = config_class(entry_point).parameters()
        small = values | {name: value for name, value in SMALL.items() if name in fields}
        code = main([entry_point, *(f"--{name}={value}" for name, value in small.items())])
        assert code == 0, (entry_point, small, capsys.readouterr().err)
