"""Artifacts beside a SQLite store that was moved: the store finds them again.

MLflow writes the absolute folder of its artifacts into every experiment, run and model. A checkout
that is renamed, moved or copied takes `mlflow.db` and `mlartifacts/` along, and the old folder with
them in the database.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, NullPool, create_engine, text

ARTIFACTS = "mlartifacts"

COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow keeps the absolute folder of an artifact."""


def follow_artifacts(uri: str, folder: Path) -> None:
    """Make a SQLite store name the artifacts in `folder` that a move took along.

    A folder that is still where the store says stays its own, unless the move copied it.

    Args:
        uri: of the store, with all its tables.
        folder: where the store lies.
    """
    here = (folder / ARTIFACTS).as_uri()
    with create_engine(uri, poolclass=NullPool).begin() as connection:
        for there in _folders(connection) - {here}:
            if _has_content(folder / ARTIFACTS) or not _path(there).is_dir():
                _replace(connection, there, here)


def _folders(connection: Connection) -> set[str]:
    """Return the folders named `mlartifacts` in which experiments keep their artifacts."""
    locations = connection.scalars(text("select artifact_location from experiments"))
    found = (re.fullmatch(rf"(file://.*/{ARTIFACTS})/+[^/]*", each or "") for each in locations)
    return {match[1] for match in found if match}


def _has_content(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _replace(connection: Connection, there: str, here: str) -> None:
    for table, column in COLUMNS:
        connection.execute(
            text(
                f"update {table} set {column} = :here || substr({column}, :length + 1) "  # noqa: S608
                f"where substr({column}, 1, :length) = :there"
            ),
            {"here": f"{here}/", "there": f"{there}/", "length": len(there) + 1},
        )
