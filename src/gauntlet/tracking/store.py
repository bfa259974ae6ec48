"""Where runs are kept: one absolute place by default, reachable and ready at the start."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import requests
from filelock import Timeout

from gauntlet.data.cache import default_folder
from gauntlet.errors import TrackingError, UsageError
from gauntlet.masking import UNREADABLE, is_readable, mask_address
from gauntlet.private_files import create_private, private_folder, private_lock
from gauntlet.tracking.faults import Place
from gauntlet.tracking.patience import be_patient_with

PROJECT_ROOT = Path(__file__).resolve().parents[3]
CONNECT_SECONDS = 5
LOCK_SECONDS = 120
HTTP = ("http", "https")


def tracking_uri() -> str:
    """Return the store in use: MLFLOW_TRACKING_URI, or mlflow.db in the project's root.

    MLflow's own default depends on the working directory; this one does not. A server's address
    comes without user and password: `open_store` gives MLflow these apart.

    Raises:
        UsageError: no address that MLflow could use.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{PROJECT_ROOT / 'mlflow.db'}"
    # `mlflow run` changes the working directory between itself and its child.
    if _is_sqlite(uri):
        return f"sqlite:///{Path(uri.removeprefix('sqlite:///')).resolve()}"
    _check_address(uri)
    parts = urlsplit(uri)
    without = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return urlunsplit(without) if parts.scheme in HTTP else uri


def _check_address(uri: str) -> None:
    parts = "MLFLOW_TRACKING_URI: expected"
    if not is_readable(uri):
        raise UsageError(f"{parts} an address {UNREADABLE}; received {mask_address(uri)}.")
    if urlsplit(uri).scheme in HTTP and (urlsplit(uri).query or urlsplit(uri).fragment):
        raise UsageError(
            f"{parts} the server's address alone, for MLflow appends to it; received "
            f"{mask_address(uri)}: a token belongs into MLFLOW_TRACKING_TOKEN."
        )


def open_store() -> str:
    """Make this process's MLflow use `tracking_uri()`, reachable and migrated; return it.

    Raises:
        UsageError: no address that MLflow could use.
        TrackingError: the store cannot be reached or written.
    """
    uri = tracking_uri()
    _check_reachable(uri)
    _give_credentials_apart()
    os.environ["MLFLOW_TRACKING_URI"] = uri
    # A store is no place to run code from.
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(CONNECT_SECONDS))  # libpq alone waits minutes
    # A bar for each file of a few kilobytes would hide the run's own progress.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Nor two lines with the address of every run of a server.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if not uri.startswith("http"):
        # Else MLflow makes a folder mlruns wherever the command was typed.
        os.environ.setdefault("_MLFLOW_SERVER_ARTIFACT_ROOT", artifact_location(uri, "") or "")
    be_patient_with(_place(uri))
    _initialise(uri)
    if not uri.startswith("http"):
        with suppress(OSError):  # MLflow says what is wrong, if ever there is something to store
            private_folder(_artifacts_folder(uri))
    return uri


def _give_credentials_apart() -> None:
    """Move user and password out of a server's address, which MLflow prints, raises and stores."""
    parts = urlsplit(os.environ.get("MLFLOW_TRACKING_URI", ""))
    if parts.scheme in HTTP and parts.username and parts.password:
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password)


def _place(uri: str) -> Place:
    served = uri.startswith("http")
    folder = (artifact_location(uri, "") or "").removeprefix("file://")
    name = f"tracking {'server' if served else 'store'} {mask_address(uri)}"
    return Place(name, folder or ".", is_database=not served)


def artifact_location(uri: str, experiment: str) -> str | None:
    """Return an absolute artifact folder for a database store; None where a server decides."""
    if uri.startswith("http"):
        return None
    return (_artifacts_folder(uri) / experiment).as_uri()


def _artifacts_folder(uri: str) -> Path:
    folder = Path(uri.removeprefix("sqlite:///")).parent if _is_sqlite(uri) else PROJECT_ROOT
    return folder.resolve() / "mlartifacts"


def lock_path(key: str) -> Path:
    """Return a file for locks between the processes of this user on this machine."""
    path = _cached_file("locks", key, ".lock")
    private_folder(path.parent)
    return path


def checkpoint_path(key: str) -> Path:
    """Return where this user keeps an unfinished training; there need not be a file."""
    return _cached_file("checkpoints", key, ".npz")


def _cached_file(folder: str, key: str, suffix: str) -> Path:
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return default_folder() / folder / f"{name}{suffix}"


def create_sqlite_file(uri: str) -> None:
    """Create the file of a SQLite database that is not there yet, for its owner alone."""
    name = uri.removeprefix("sqlite:///").partition("?")[0]
    if _is_sqlite(uri) and not name.startswith((":memory:", "file:")):
        create_private(Path(name))


def ui_command(uri: str) -> str:
    """Return the command that opens the MLflow UI on this store."""
    if uri.startswith("http"):
        return f"open {mask_address(uri)} in a browser"
    if uri == f"sqlite:///{PROJECT_ROOT / 'mlflow.db'}":
        return "make ui"
    return f"mlflow server --host 127.0.0.1 --backend-store-uri '{mask_address(uri)}'"


def _is_sqlite(uri: str) -> bool:
    return uri.startswith("sqlite:///")


def _check_reachable(uri: str) -> None:
    parts = urlsplit(uri)
    if _is_sqlite(uri):
        file = Path(uri.removeprefix("sqlite:///"))
        if not os.access(file.parent, os.W_OK | os.X_OK):
            raise TrackingError(
                f"the tracking store {uri} is not writable: check the folder {file.parent}."
            )
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            raise TrackingError(f"the tracking store {uri} is not writable: check that file.")
    elif parts.hostname:
        try:
            _knock(uri, parts)
        except OSError as error:
            raise TrackingError(
                f"the tracking server {mask_address(uri)} cannot be reached ({error}): start "
                "it, or set MLFLOW_TRACKING_URI."
            ) from None


def _knock(uri: str, parts: SplitResult) -> None:
    if not uri.startswith("http"):
        address = parts.hostname, parts.port or 5432
        socket.create_connection(address, CONNECT_SECONDS).close()
        return
    # A port that accepts and never answers would hold MLflow for minutes.
    requests.get(f"{uri.rstrip('/')}/health", timeout=CONNECT_SECONDS).close()


def _initialise(uri: str) -> None:
    """Let one process create the tables of a fresh database; two at once would both crash."""
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.store.db.db_types import DATABASE_ENGINES
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import SQLAlchemyError

    from gauntlet.tracking.relocation import follow_artifacts

    mlflow.set_tracking_uri(uri)
    try:
        with private_lock(lock_path(f"store {mask_address(uri)}"), LOCK_SECONDS):
            create_sqlite_file(uri)
            if urlsplit(uri).scheme.split("+")[0] in DATABASE_ENGINES:
                # MLflow would try a wrong password ten times, for two minutes.
                create_engine(uri, poolclass=NullPool).connect().close()
            mlflow.MlflowClient().search_experiments(max_results=1)
            if _is_sqlite(uri):
                follow_artifacts(uri, Path(uri.removeprefix("sqlite:///")).parent)
    except Timeout:
        raise TrackingError(f"another process holds the store {mask_address(uri)}.") from None
    except (MlflowException, SQLAlchemyError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise TrackingError(
            f"the tracking store {mask_address(uri)} cannot be used: {reason}"
        ) from None
