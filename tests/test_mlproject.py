"""MLproject, conda.yaml, the lock files and the packaging say what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from mlflow.projects import get_entry_point_command, load_project
from mlflow.utils.environment import _PythonEnv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from parameters import REQUIRED

from gauntlet.__main__ import read_arguments
from gauntlet.catalogue.entry_points import ENTRY_POINTS
from gauntlet.config.command_line import config_class, default_string, parse
from gauntlet.mlproject import text
from gauntlet.tracking.launcher import PROJECT

ROOT = Path(__file__).resolve().parents[1]
SPEC = yaml.safe_load((ROOT / "MLproject").read_text())
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-cuda.lock")
HOSTILE = ("$(touch pwned)", "'; touch pwned; '", '"; touch pwned #', "`touch pwned`", "a b", "*")


def _rendered(entry_point: str, values: dict[str, str], tmp_path: Path) -> str:
    project = load_project(str(ROOT))
    return get_entry_point_command(project, entry_point, values, str(tmp_path))[0]


def _arguments(command: str, tmp_path: Path) -> list[str]:
    """Return what the entry point would receive from MLflow's `bash -c`."""
    echo = "import sys; sys.stdout.write('\\0'.join(sys.argv[1:]))"
    harmless = command.replace("python -m gauntlet", f"'{sys.executable}' -c \"{echo}\"", 1)
    assert harmless != command
    done = subprocess.run(
        ["bash", "-c", harmless], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")


def test_file_is_what_make_mlproject_writes() -> None:
    assert (ROOT / "MLproject").read_text() == text()


def test_same_entry_points_in_flow_order() -> None:
    assert SPEC["name"] == PROJECT
    assert list(SPEC["entry_points"]) == list(ENTRY_POINTS)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_same_parameters_and_defaults(entry_point: str) -> None:
    """The quotes of YAML change nothing."""
    declared = SPEC["entry_points"][entry_point]["parameters"]
    expected = {n: default_string(p) for n, p in config_class(entry_point).parameters().items()}
    assert {name: spec.get("default") for name, spec in declared.items()} == expected
    assert {spec["type"] for spec in declared.values()} <= {"float", "string"}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_command_passes_each_parameter_once_and_bare(entry_point: str) -> None:
    spec = SPEC["entry_points"][entry_point]
    head, *flags = re.split(r" (?=--)", spec["command"])
    assert flags == [f"--{name} {{{name}}}" for name in spec["parameters"]]
    assert head == f'PYTHONPATH="$PWD/src" python -m gauntlet {entry_point}'


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_defaults_survive_the_way_through_mlflow(entry_point: str, tmp_path: Path) -> None:
    given = REQUIRED.get(entry_point, {})
    received = _arguments(_rendered(entry_point, given, tmp_path), tmp_path)
    assert parse(*read_arguments(received)) == parse(entry_point, given)


@pytest.mark.parametrize("value", HOSTILE)
def test_shell_syntax_in_a_value_is_inert(value: str, tmp_path: Path) -> None:
    command = _rendered("attack", {"dataset": value, "undeclared": value}, tmp_path)
    received = _arguments(command, tmp_path)
    assert received[received.index("--dataset") + 1] == value
    assert received[-2:] == ["--undeclared", value]
    assert not (tmp_path / "pwned").exists()


def test_conda_environment_is_the_lock() -> None:
    env = _PythonEnv.from_conda_yaml(ROOT / SPEC["conda_env"])
    assert (env.python, env.build_dependencies) == ("3.11", ["pip"])
    assert env.dependencies == ["-r requirements.lock"]
    # Either would override conda.yaml without a word.
    assert not (ROOT / "uv.lock").exists() and not (ROOT / "python_env.yaml").exists()


def _locked(lock: str) -> dict[str, Requirement]:
    """Return the requirements of a lock; each line must be a pinned name with hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    found = {}
    for entry in text.replace("\\\n", " ").splitlines():
        line, *hashes = entry.split("--hash=")
        requirement = Requirement(line)
        assert requirement.url is None and [s.operator for s in requirement.specifier] == ["=="]
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64} *", h) for h in hashes), line
        found[canonicalize_name(requirement.name)] = requirement
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_covers_the_dependencies_and_names_no_host(lock: str) -> None:
    locked = _locked(lock)
    wanted = PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["dev"]
    for requirement in map(Requirement, wanted):
        (pin,) = locked[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement
    assert "setuptools" in locked  # the Makefile installs the project without build isolation
    assert "://" not in (ROOT / lock).read_text()


def test_cuda_lock_only_adds_to_the_lock() -> None:
    plain, cuda = (_locked(lock) for lock in LOCKS)
    assert {name: cuda.get(name) for name in plain} == plain
    assert all(name.startswith("nvidia-") for name in cuda.keys() - plain.keys())


def test_what_is_no_module_is_installed_too() -> None:
    package = ROOT / "src" / "gauntlet"
    installed = PYPROJECT["tool"]["setuptools"]["package-data"]["gauntlet"]
    found = {file for file in package.rglob("*") if file.is_file()}
    assert {file for pattern in installed for file in package.glob(pattern)} == {
        file for file in found if file.suffix not in (".py", ".pyc")
    }
