"""Where a number comes from: code, packages, machine."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import platform
import subprocess
from pathlib import Path

from gauntlet.tracking import names
from gauntlet.tracking.store import PROJECT_ROOT
from gauntlet.variables import variables

PACKAGE = Path(__file__).resolve().parents[1]

NUMERIC_PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "scipy", "cleverhans")
"""Packages that compute: another version of one of them means another result."""

COMPUTING = (
    "arrays",
    "attacks",
    "autoencoders",
    "cells",
    "certificates",
    "classifiers",
    "defences",
    "evaluation",
    "examination",
    "seeding",
    "training",
)
"""The project's rooms that compute. What the others decide reaches them as values and arrays, which
stand in every fingerprint themselves."""

_ARITHMETIC = (
    "TF_AUTO",
    "TF_CONV",
    "TF_CUBLAS_",
    "TF_CUDNN_",
    "TF_CUFFT_",
    "TF_DETERMINISTIC_",
    "TF_DISABLE_",
    "TF_ENABLE_",
    "TF_FP16_",
    "TF_MATMUL_",
    "TF_MKL_",
    "TF_NUM_",
    "TF_ONEDNN_",
    "TF_OVERRIDE_",
    "TF_SET_ONEDNN_",
    "TF_USE_",
    "TF_XLA_",
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
"""Beginnings of environment variables that may change the bits of a result. Not all of `TF_`:
Terraform's variables begin so too, change nothing here, and may hold secrets."""


@functools.cache
def package_versions() -> dict[str, str]:
    """Return the installed version of each numeric package, and Python's."""
    versions = {name: importlib.metadata.version(name) for name in NUMERIC_PACKAGES}
    return versions | {"python": platform.python_version()}


def arithmetic_settings() -> dict[str, str]:
    """Return the environment variables that may change the bits of a result: usually none."""
    return {
        name: value for name, value in sorted(variables().items()) if name.startswith(_ARITHMETIC)
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

    An unpacked archive may lie inside another repository, whose commit says nothing of it. Reports
    are output: a run that wrote one leaves the sources as they were.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None or _git("ls-files", "--error-unmatch", str(PACKAGE / "__init__.py")) is None:
        return {names.GIT_COMMIT: "unknown", names.GIT_DIRTY: "unknown"}
    edited = _git("status", "--porcelain", "--untracked-files=no", "--", ":(top,exclude)reports")
    added = _git("ls-files", "--others", "--exclude-standard", "--", str(PACKAGE))
    dirty = bool(edited or added)
    return {names.GIT_COMMIT: commit, names.GIT_DIRTY: str(dirty).lower()}


def _git(*words: str) -> str | None:
    # GIT_DIR and the like, set by hooks and tools, name a repository of their own.
    environment = {k: v for k, v in variables().items() if not k.startswith("GIT_")}
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
    """Return the SHA-256 of these modules, and of the computing ones that they import in turn.

    Read from the files as they are now, so an uncommitted edit counts. Of other installed packages,
    every module counts that belongs to the same package as one of `modules`.

    Raises:
        ModuleNotFoundError: one of `modules` has no source file.
    """
    packages = {module.split(".")[0] for module in modules}
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found or not _computes(module, packages):
            continue
        if (file := _source_file(module)) is None:
            if module in modules:
                raise ModuleNotFoundError(f"no source file of {module}", name=module)
            continue  # `from module import name`: a name
        source = file.read_bytes()
        found[module] = hashlib.sha256(source).hexdigest()[:16]
        above = module.rpartition(".")[0]
        waiting += [above, *_imports(source, module if file.stem == "__init__" else above)]
    return dict(sorted(found.items()))


def _computes(module: str, packages: set[str]) -> bool:
    package, _, rest = module.partition(".")
    if package == PACKAGE.name:
        return rest.split(".")[0] in COMPUTING
    return package in packages


def _source_file(module: str) -> Path | None:
    """Return a module's file, found without importing it; None if it is none."""
    package, *parts = module.split(".")
    paths = [folder.joinpath(*parts) for folder in _folders(package)]
    files = [file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py")]
    return next((file for file in files if file.is_file()), None)


def _folders(package: str) -> list[Path]:
    """Return the folders of a package, several if it is a namespace; of a module, its path."""
    if package == PACKAGE.name:
        return [PACKAGE]
    spec = importlib.util.find_spec(package)
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(folder) for folder in spec.submodule_search_locations]
    return [Path(spec.origin).with_suffix("")] if spec.origin else []


@functools.cache
def _imports(source: bytes, package: str) -> list[str]:
    """Return the modules that a source of a package names in `import` and `from` statements."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            base = package.split(".")[: -node.level + 1 or None] if node.level else []
            module = ".".join([*base, node.module or ""]).rstrip(".")
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found
