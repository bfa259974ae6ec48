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

    An experiment whose folder is still where the store says keeps it, unless the move copied it.

    Args:
        uri: of the store, with all its tables.
        folder: where the store lies.
    """
    with create_engine(uri, poolclass=NullPool).begin() as connection:
        for there in connection.scalars(text("select artifact_location from experiments")).all():
            match = re.fullmatch(rf"file://.*/{ARTIFACTS}/+([^/]+)", there or "")
            here = (folder / ARTIFACTS).as_uri() + f"/{match[1]}" if match else there
            if here != there and (_path(here).is_dir() or not _path(there).is_dir()):
                _replace(connection, there, here)


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _replace(connection: Connection, there: str, here: str) -> None:
    for table, column in COLUMNS:
        connection.execute(
            text(
                f"update {table} set {column} = :here || substr({column}, :next) "  # noqa: S608
                f"where {column} = :there or substr({column}, 1, :next) = :folder"
            ),
            {"here": here, "there": there, "folder": f"{there}/", "next": len(there) + 1},
        )
