"""Where a number comes from: code, packages, machine."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from gauntlet.tracking.store import PROJECT_ROOT

PACKAGE = Path(__file__).resolve().parents[1]

NUMERIC_PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "scipy", "cleverhans")
"""Packages that compute: another version of one of them means another result."""

_NOT_FOLLOWED = tuple(
    f"gauntlet.{name}"
    for name in ("config", "errors", "masking", "private_files", "tracking", "steps")
)
"""Modules that describe, track or compose; those of them that compute are named by their step."""

_ARITHMETIC = (
    "TF_",
    "XLA_",
    "ONEDNN_",
    "DNNL_",
    "MKL_",
    "OMP_",
    "OPENBLAS_",
    "CUBLAS_",
    "CUDNN_",
    "NVIDIA_TF32_",
)
_NO_ARITHMETIC = ("TF_CPP_", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR")
"""Beginnings of environment variables that may change the bits of a result, and exceptions."""


@functools.cache
def package_versions() -> dict[str, str]:
    """Return the installed version of each numeric package, and Python's."""
    versions = {name: importlib.metadata.version(name) for name in NUMERIC_PACKAGES}
    return versions | {"python": platform.python_version()}


def arithmetic_settings() -> dict[str, str]:
    """Return the environment variables that may change the bits of a result: usually none."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(_ARITHMETIC) and not name.startswith(_NO_ARITHMETIC)
    }


@functools.cache
def environment() -> str:
    """Return every installed distribution as sorted `name==version` lines."""
    found = {f"{d.name}=={d.version}" for d in importlib.metadata.distributions()}
    return "\n".join(
        [
            f"# Python {platform.python_version()} on {platform.platform()}",
            *sorted(found, key=str.lower),
            "",
        ]
    )


@functools.cache
def git_state() -> dict[str, str]:
    """Return commit and dirty flag of the repository that tracks these sources, else `unknown`.

    An unpacked archive may lie inside another repository, whose commit says nothing of it.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None or _git("ls-files", "--error-unmatch", str(PACKAGE / "__init__.py")) is None:
        return {"gauntlet.git_commit": "unknown", "gauntlet.git_dirty": "unknown"}
    edited = _git("status", "--porcelain", "--untracked-files=no")
    added = _git("ls-files", "--others", "--exclude-standard", "--", str(PACKAGE))
    dirty = bool(edited or added)
    return {"gauntlet.git_commit": commit, "gauntlet.git_dirty": str(dirty).lower()}


def _git(*words: str) -> str | None:
    # GIT_DIR and the like, set by hooks and tools, name a repository of their own.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        command = ["git", "-C", str(PROJECT_ROOT), *words]
        done = subprocess.run(  # noqa: S603 -- every argument is made here
            command, capture_output=True, check=True, text=True, env=environment
        )
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


@functools.cache
def source_digests(*modules: str) -> dict[str, str]:
    """Return the SHA-256 of these project modules and of those that they import, directly or not.

    Read from the files as they are now, so an uncommitted edit counts. Modules that describe, track
    or compose count only if they are named here, and what they import is not followed.
    """
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        followed = not module.startswith(_NOT_FOLLOWED)
        if module in found or not (followed or module in modules):
            continue
        if (file := _source_file(module)) is None:  # `from module import name`: a name
            continue
        source = file.read_bytes()
        found[module] = hashlib.sha256(source).hexdigest()[:16]
        waiting += _imports(source) if followed else []
    return dict(sorted(found.items()))


def _source_file(module: str) -> Path | None:
    """Return the file of a project module, found without importing anything; None if it is none."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


@functools.cache
def _imports(source: bytes) -> list[str]:
    """Return the project's modules that a source names in `import` and `from` statements."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if name.startswith("gauntlet.")]
