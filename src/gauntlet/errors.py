"""The few errors that the command line turns into one clear line instead of a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from gauntlet.masking import mask


class GauntletError(Exception):
    """A failure that the user can mend; its text is one complete sentence. Exit code 1."""

    def __init__(self, text: str) -> None:
        super().__init__(mask(text))  # it is printed, and may be logged where others read


class UsageError(GauntletError):
    """A wrong flag or value, found before anything is computed. Exit code 2."""


class DataError(GauntletError):
    """A data set that cannot be fetched, read or trusted. Exit code 1."""


class IncompleteError(GauntletError):
    """Some of many computations failed; the others are done and written down."""


class DivergenceError(GauntletError):
    """A training whose loss became NaN or infinite. Exit code 1."""


class TrainingStopped(Exception):  # noqa: N818 -- as KeyboardInterrupt, nothing is wrong
    """A training that was given up because others do better; its run ends as KILLED."""


class TrackingError(GauntletError):
    """A tracking store that cannot be reached, written or trusted. Exit code 1."""


class DamagedRunError(GauntletError):
    """A finished run whose record is incomplete or was changed; its text ends without a stop."""


def unknown_name(what: str, received: str, valid: Iterable[str]) -> str:
    """Return `unknown <what> '<received>'` with the nearest and all valid names."""
    names = list(valid)
    near = difflib.get_close_matches(received, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"unknown {what} {received!r}.{hint} Valid: {', '.join(names)}."
