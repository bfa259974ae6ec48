"""What MLflow, SQLAlchemy, requests and the disk raise: a fault of the store, or a bug."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gauntlet.errors import disk_fault

BUSY = (
    "TEMPORARILY_UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    429,
    502,
    503,
    504,
)
FORBIDDEN = ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED", 401, 403)

NO_ROOM = re.compile(r"disk is full|disk full|no space left|quota exceeded|error code 507", re.I)
NO_ACCESS = re.compile(
    r"readonly database|read-only|permission denied|unable to open database|not a database|"
    r"malformed|disk I/O error|authentication failed",
    re.I,
)
"""Words in the error of a database that no waiting mends."""


class Fault(NamedTuple):
    """A fault of the store.

    Attributes:
        sentence: what is wrong with which place, and what to do.
        passes: whether it may be over in a moment.
    """

    sentence: str
    passes: bool


class Place(NamedTuple):
    """A store.

    Attributes:
        name: as it is shown.
        artifacts: the folder of its artifacts if that is on this machine.
        is_database: whether this process writes it by itself; else a server does.
    """

    name: str
    artifacts: str
    is_database: bool = False


def fault_of(error: Exception, place: Place, reads_artifact: bool = False) -> Fault | None:
    """Return what is wrong with the store; None: nothing is, the call was wrong or found nothing.

    Args:
        error: what a call of MLflow's client raised.
        place: the store that it called.
        reads_artifact: a server answers 500 where there is no such artifact.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

    links = list(_chain(error))
    for link in links:
        if isinstance(link, SQLAlchemyError):
            return _of_text(
                _words(link), place, isinstance(link, OperationalError | InterfaceError)
            )
        if (status := getattr(getattr(link, "response", None), "status_code", None)) is not None:
            return _of_answer(status, _words(error), place, reads_artifact)
        if isinstance(link, OSError) and not _is_of_network(link):
            sentence = disk_fault(link, place.artifacts)
            return Fault(sentence, passes=False) if sentence else None
    if isinstance(error, MlflowException) and not _is_of_network(*links):
        return _of_answer(error.error_code, _words(error), place, reads_artifact)
    return _away(place, _reason(links)) if _is_of_network(*links) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, or while handling."""
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__ or following.__context__


def _is_of_network(*errors: BaseException) -> bool:
    import requests

    network = (ConnectionError, TimeoutError, requests.RequestException)
    return any(isinstance(e, network) and getattr(e, "response", None) is None for e in errors)


def _of_text(words: str, place: Place, passes: bool) -> Fault | None:
    """Return the fault that a database's words tell; `passes` if they tell none."""
    if NO_ROOM.search(words):
        what = f"the {place.name} has no room ({words}): make some"
    elif NO_ACCESS.search(words):
        what = (
            f"the {place.name} refuses to be written or read ({words}): use an account that "
            "may write, or set MLFLOW_TRACKING_URI"
        )
    else:
        return _away(place, words) if passes else None
    return Fault(f"{what}, then give the same command again.", passes=False)


def _of_answer(status: object, words: str, place: Place, reads_artifact: bool) -> Fault | None:
    """Return the fault of a server that answers: an HTTP status, or MLflow's name of one."""
    if status in FORBIDDEN:
        return _of_text(f"permission denied: {words}", place, passes=False)
    if status in BUSY or status == 507:
        return _of_text(words, place, passes=True)
    if status in (500, "INTERNAL_ERROR") and not reads_artifact:
        return _of_text(words, place, passes=False) or Fault(
            f"the {place.name} failed ({words}): look into its log, then give the same command "
            "again.",
            passes=False,
        )
    return None


def _away(place: Place, reason: str) -> Fault:
    return Fault(
        f"the {place.name} no longer answers ({reason}): start it again, then give the same "
        "command again; what is finished is reused.",
        passes=True,
    )


def _reason(links: list[BaseException]) -> str:
    """Return the system's own words for why nothing came, out of all that was wrapped around."""
    text = " ".join(map(str, links))
    if found := re.search(r"\[Errno -?\d+\] ([\w ,]+)", text):
        return found[1].strip()
    timed_out = re.search(r"time(d )?out", text, re.I)
    return "no answer in time" if timed_out else type(links[-1]).__name__


def _words(error: BaseException) -> str:
    """Return the first line of what an error says, without statements and their values."""
    first = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return first.splitlines()[0][:300]
