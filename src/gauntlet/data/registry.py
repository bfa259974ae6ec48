"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gauntlet.data.dataset import Dataset
from gauntlet.data.digits import load_digits
from gauntlet.data.mnist import fashion_mnist, mnist
from gauntlet.data.npz_file import PREFIX, load_npz
from gauntlet.data.remote import load_remote
from gauntlet.errors import UsageError, unknown_name

_LOADERS: dict[str, Callable[[], Dataset]] = {
    "mnist": lambda: load_remote(mnist()),
    "fashion_mnist": lambda: load_remote(fashion_mnist()),
    "digits": load_digits,
}
DATASETS = tuple(_LOADERS)


def load(name: str) -> Dataset:
    """Return a data set, verified.

    Args:
        name: one of `DATASETS`, or `npz:PATH` for a file of the user's own.

    Raises:
        UsageError: an unknown name, or an npz file that is missing or malformed.
        DataError: no source of the data set could be reached and trusted.
    """
    if name.startswith(PREFIX) and len(name) > len(PREFIX):
        return load_npz(Path(name.removeprefix(PREFIX)).expanduser())
    if name not in _LOADERS:
        raise UsageError(unknown_name("data set", name, [*DATASETS, f"{PREFIX}PATH"]))
    return _LOADERS[name]()
