"""foolbox 3 and ART, imported without their warnings and without files in the user's home."""

from __future__ import annotations

import functools
import os
import tempfile
import warnings
from types import ModuleType
from unittest import mock

import numpy as np


@functools.cache
def foolbox() -> ModuleType:
    """Return foolbox, which imports deprecated parts of SciPy.

    eagerpy 0.30, on which it stands, calls a function that NumPy 2 removed: it is put back.
    """
    if not hasattr(np, "find_common_type"):
        vars(np)["find_common_type"] = lambda arrays, scalars: np.result_type(*arrays, *scalars)
    with warnings.catch_warnings(action="ignore"):
        import foolbox
    return foolbox


@functools.cache
def art() -> ModuleType:
    """Return ART, whose import writes `~/.art` and warns that there is no PyTorch."""
    with (
        tempfile.TemporaryDirectory() as home,
        mock.patch.dict(os.environ, HOME=home),
        warnings.catch_warnings(action="ignore"),
    ):
        import art.attacks.evasion
        import art.estimators.classification
    return art
