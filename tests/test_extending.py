"""The manual's example package: one component of each kind, from another installed package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import uv

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "docs" / "extending" / "examples"
ATTACK = (
    "attack",
    "--preset",
    "smoke",
    "--dataset",
    "stripes",
    "--train_size",
    "400",
    "--test_size",
    "60",
    "--autoencoder",
    "linear",
    "--classifier",
    "softmax",
    "--defence",
    "none,blur,snapped,reformer",
    "--threat_models",
    "white_box,gray_box,behind_transfer",
    "--attacks",
    "fgsm,corners",
    "--epsilons",
    "0,0.2",
)

Command = Callable[..., subprocess.CompletedProcess[str]]


def _install(package: Path, target: Path) -> None:
    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
    command += ["--target", str(target), "--no-deps", "--no-build-isolation", str(package)]
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder that the example package is installed into."""
    folder = tmp_path_factory.mktemp("examples")
    _install(shutil.copytree(EXAMPLES, folder / "source"), folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def python(installed, new_store, tmp_path_factory) -> Command:
    """Run Python where the example package is installed, all times on one store."""
    uri, folder = new_store(), tmp_path_factory.mktemp("extended")

    def run(
        *arguments: str, code: int = 0, path: Path = installed
    ) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if "MLFLOW_" not in k}
        environment |= {"PYTHONPATH": str(path), "MLFLOW_TRACKING_URI": uri}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def first(python) -> str:
    """What the first attack run says."""
    return python("-m", "gauntlet", *ATTACK).stdout


def test_flags_and_names_stand_in_help(python) -> None:
    shown = python("-m", "gauntlet", "attack", "--help").stdout
    for flag in ("corners_draws", "blur_size", "linear_units"):
        assert f"--{flag} VALUE" in shown
    for name in ("corners", "blur", "snapped", "behind_transfer", "stripes", "dual_norm"):
        assert name in shown
    for other in ("autoencoder", "classifier", "reproduce", "census"):
        assert "usage" in python("-m", "gauntlet", other, "--help").stdout
    assert "toy2026" in python("-m", "gauntlet", "reproduce", "--help").stdout


def test_parameters_and_entry_points_stand_in_mlproject(python) -> None:
    text = python("-m", "gauntlet.mlproject").stdout
    assert 'corners_draws: {type: float, default: "10"}' in text
    assert "--linear_units {linear_units}" in text
    assert re.search(r"^  census:$", text, re.MULTILINE)


ATTACK_HELP = ("attack", "--help")
MISTAKES = {
    "name that is taken": (
        ("corners_entry.py", 'name="corners"', 'name="fgsm"'),
        ATTACK_HELP,
        "two components are named attack 'fgsm'",
    ),
    "flag that is taken": (
        ("corners_entry.py", "corners_draws", "seed"),
        ATTACK_HELP,
        "component 'corners' brings a flag --seed of its own",
    ),
    "module that is not there": (
        ("blur_entry.py", "from gauntlet.catalogue.parameters", "from nothing_of_that_name"),
        ATTACK_HELP,
        "of package gauntlet-examples (gauntlet_examples.blur_entry:BLUR) cannot be used: Module",
    ),
    "function in the place of an entry": (
        ("blur_entry.py", "BLUR = Defence(", "BLUR = lambda: (\n) or dict("),
        ATTACK_HELP,
        "TypeError: 'function' object is not iterable",
    ),
    "inputs of no autoencoder": (
        ("blur_entry.py", "parameters={", 'inputs="encoded", parameters={'),
        ATTACK_HELP,
        "ValueError: defence 'blur': inputs='encoded' are of the run's own autoencoder",
    ),
    "stand-in of no filter": (
        ("snapped_entry.py", "stand_in=", 'before="encoder", stand_in='),
        ATTACK_HELP,
        "ValueError: defence 'snapped': stand_in='autoencoder' is of a filter, and before=",
    ),
    "config that is not there": (
        ("census_entry.py", "census_config:", "census_confg:"),
        ("census", "--help"),
        "the config of entry point 'census' (gauntlet_examples.census_confg:CensusConfig)",
    ),
    "classifier that cannot learn from images": (
        ("softmax_entry.py", "published=", 'inputs=("features",), published='),
        ("classifier", "--preset", "smoke", "--classifier", "softmax"),
        "--classifier: expected dense or convolutional or logistic_regression or wong2018",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_one_line(installed, python, tmp_path, mistake) -> None:
    (name, right, wrong), command, expected = MISTAKES[mistake]
    site = shutil.copytree(installed, tmp_path / "site")
    file = site / "gauntlet_examples" / name
    text = file.read_text()
    assert right in text
    file.write_text(text.replace(right, wrong))
    code = 2 if expected.startswith("--") else 1
    said = python("-m", "gauntlet", *command, code=code, path=site).stderr
    assert said.count("\n") == 1 and expected in said


def test_broken_entry_point_leaves_the_others(installed, python, tmp_path) -> None:
    site = shutil.copytree(installed, tmp_path / "site")
    (site / "gauntlet_examples" / "census_config.py").unlink()
    assert "--blur_size" in python("-m", "gauntlet", *ATTACK_HELP, path=site).stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_components_run_and_are_cached_under_their_own_parameters(python, first) -> None:
    for defence, threat_model in (
        ("none", "white_box"),
        ("blur", "gray_box"),
        ("blur", "behind_transfer"),
        ("snapped", "white_box"),
        ("reformer", "behind_transfer"),
    ):
        assert re.search(rf"{defence} +│ {threat_model} ", first)
    again = python("-m", "gauntlet", *ATTACK).stdout
    cells = int(re.search(r"cells: (\d+) reused", again)[1])
    assert "computed" not in again
    other = python("-m", "gauntlet", *ATTACK, "--corners_draws", "5").stdout
    kept = int(re.search(r"cells: (\d+) reused", other)[1])
    assert f"cells: {cells - kept} computed because: corners_draws 10 -> 5" in other


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_certificate_runs_and_agrees_with_the_project_s_own(python) -> None:
    """Of one affine function, both are exact."""
    bare = ("--defence", "none", "--threat_models", "white_box")
    asked = (*bare, "--epsilons", "0,0.02,0.05", "--certificates")
    found = []
    for certificate in ("dual_norm", "interval"):
        said = python("-m", "gauntlet", *ATTACK, *asked, certificate).stdout
        found.append(re.findall(rf"none +│ {certificate} +│ ([\d.]+) +│ ([\d.]+) ", said))
    assert found[0] == found[1] and [budget for budget, _ in found[0]] == ["0", "0.02", "0.05"]
    assert 0 < float(found[0][1][1]) < 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_edit_of_its_code_recomputes_its_cells_alone(python, installed, first) -> None:
    code = installed / "gauntlet_examples" / "corners.py"
    text = code.read_text()
    code.write_text(text + "# edited\n")
    said = python("-m", "gauntlet", *ATTACK).stdout
    code.write_text(text)
    assert re.search(r"computed because: .*source gauntlet_examples.corners changed", said)
    assert re.search(r"cells: \d+ reused", said)
    assert not re.search(r"(autoencoder|classifier).*: computed", said)


@pytest.mark.slow
def test_entry_point_and_paper_run(python) -> None:
    assert (
        "400 images of 8 classes"
        in python("-m", "gauntlet", "census", "--dataset", "stripes", "--split", "test").stdout
    )
    said = python(
        "-m",
        "gauntlet",
        "reproduce",
        "--paper",
        "toy2026",
        "--preset",
        "smoke",
        "--dataset",
        "stripes",
        "--few",
        "50",
    ).stdout
    assert "fgsm-hurts" in said and "2 cells were measured." in said


@pytest.mark.slow
def test_contract_suites_take_them_up(python) -> None:
    done = python(
        "-m",
        "pytest",
        *(str(ROOT / "tests" / name) for name in ("test_attacks.py", "test_autoencoders.py")),
        "-k",
        "corners or linear",
        "-n",
        "0",
        "-v",
        "-m",
        "slow or not slow",
        "-p",
        "no:cacheprovider",
        f"--rootdir={ROOT}",
    )
    passed = re.findall(r"^\S*(test_\w+)\.py::(\S+) PASSED", done.stdout, re.MULTILINE)
    for suite, component in (("test_attacks", "corners"), ("test_autoencoders", "linear")):
        assert sum(file == suite and component in test for file, test in passed) > 2
