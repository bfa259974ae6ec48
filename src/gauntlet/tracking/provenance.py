"""Where a number comes from: code, packages, machine."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path

from gauntlet.tracking.store import PROJECT_ROOT

PACKAGE = Path(__file__).resolve().parents[1]

NUMERIC_PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "scipy", "cleverhans")
"""Packages that compute: another version of one of them means another result."""

_NOT_COMPUTING = tuple(
    f"gauntlet.{name}"
    for name in ("config", "errors", "masking", "private_files", "tracking", "steps")
)


@functools.cache
def package_versions() -> dict[str, str]:
    """Return the installed version of each numeric package, and Python's."""
    versions = {name: importlib.metadata.version(name) for name in NUMERIC_PACKAGES}
    return versions | {"python": platform.python_version()}


def environment() -> str:
    """Return every installed distribution as sorted `name==version` lines."""
    found = {f"{d.name}=={d.version}" for d in importlib.metadata.distributions()}
    return "\n".join([f"# Python {platform.python_version()} on {platform.platform()}",
                      *sorted(found, key=str.lower), ""])  # fmt: skip


@functools.cache
def git_state() -> dict[str, str]:
    """Return commit and dirty flag of the project's checkout; `unknown` outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {"gauntlet.git_commit": "unknown", "gauntlet.git_dirty": "unknown"}
    dirty = bool(_git("status", "--porcelain", "--untracked-files=no"))
    return {"gauntlet.git_commit": commit, "gauntlet.git_dirty": str(dirty).lower()}


def _git(*words: str) -> str | None:
    try:
        command = ["git", "-C", str(PROJECT_ROOT), *words]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None


@functools.cache
def source_digests(*modules: str) -> dict[str, str]:
    """Return the SHA-256 of each project module that these modules import, directly or not.

    Read from the files as they are now, so an uncommitted edit counts. Modules that only describe,
    track or compose are left out: what a config resolves to is in the fingerprint by itself.
    """
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found or module.startswith(_NOT_COMPUTING):
            continue
        if (file := _source_file(module)) is None:  # `from module import name`: a name
            continue
        source = file.read_bytes()
        found[module] = hashlib.sha256(source).hexdigest()[:16]
        waiting += _imports(source)
    return dict(sorted(found.items()))


def _source_file(module: str) -> Path | None:
    """Return the file of a project module, found without importing anything; None if it is none."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _imports(source: bytes) -> list[str]:
    """Return the project's modules that a source names in `import` and `from` statements."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if name.startswith("gauntlet.")]
