"""Planted secrets, looked for in all that real runs leave behind, print and show of themselves."""

from __future__ import annotations

import base64
import contextlib
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from servers import PASSWORD, mlflow_server, postgresql, tracking_to, wait_until

from gauntlet.errors import TrackingError
from gauntlet.masking import mask_address
from tuning.config import TuneConfig
from tuning.study import open_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[1]
USER, WORD, TOKEN, QUERY = "robot-4711", "tr4cking&Word", "t0ken-Planted", "qu3ry-Planted"
SECRETS = (USER, WORD, "tr4cking%26Word", TOKEN, QUERY, PASSWORD)
TINY = {"preset": "smoke", "train_size": "400", "test_size": "60"}


@pytest.fixture(scope="module")
def server(migrated, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The address of a server with user and password in it, which it ignores, and its folder."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(f"sqlite:///{shutil.copy(migrated, folder)}", folder) as uri:
        yield _with_password(uri), folder


def _with_password(uri: str) -> str:
    return uri.replace("://", f"://{USER}:{WORD.replace('&', '%26')}@")


@pytest.fixture
def storage() -> Iterator[str]:
    with postgresql() as uri:
        yield f"{uri}?sslpassword={QUERY}"


@contextlib.contextmanager
def _command_lines(process: subprocess.Popen[str]) -> Iterator[set[str]]:
    """Collect the command lines of all that a process starts, while the block runs."""
    first = psutil.Process(process.pid)
    typed, seen, over = " ".join(first.cmdline()), set(), threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            with contextlib.suppress(psutil.Error):
                for child in first.children(recursive=True):
                    seen.add(" ".join(child.cmdline()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        seen.discard(typed)  # a child has its parent's until it runs its own program


def _told(texts: Iterator[str] | list[str]) -> list[str]:
    return [f"{s} in {text[:2000]}" for text in texts for s in SECRETS if s in text]


def _files(*folders: Path) -> Iterator[str]:
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file():
                yield f"{file}: {file.read_bytes().decode('latin-1')}"


def test_study_over_a_server_and_postgresql_tells_no_secret(server, storage, start, tmp_path):
    uri, folder = server
    values = TINY | {"trials": "2", "space": "epochs=2", "storage": storage}
    parameters = [word for pair in values.items() for word in ("-P", "=".join(pair))]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = start(
        "mlflow",
        "run",
        ROOT,
        "-e",
        "tune",
        *parameters,
        uri=uri,
        TMPDIR=temporary,
        MLFLOW_TRACKING_TOKEN=TOKEN,
        GAUNTLET_CACHE=tmp_path / "cache",
    )
    with _command_lines(process) as command_lines:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert any("--storage" in line for line in command_lines)
    assert any("tuning.worker" in line for line in command_lines)
    assert "=== Running command" in err and "View run" not in out
    assert _told([out, err, *command_lines, *_files(folder, tmp_path)]) == []
    with tracking_to(uri, tmp_path) as client:
        studies = client.get_experiment_by_name("studies").experiment_id
        shown = {run.data.params.get("storage") for run in client.search_runs([studies])}
    assert {str(value).strip("'") for value in shown} == {"None", mask_address(storage)}
    with psycopg.connect(storage.replace("+psycopg", "")) as connection:
        table = connection.execute("select value_json from trial_user_attributes").fetchall()
    assert _told([str(table)]) == []


def test_lost_server_tells_no_secret(migrated, start, tmp_path):
    """The run goes on or gives up, as it likes; afterwards the server is there again."""
    folder = tmp_path / "server"
    folder.mkdir()
    words = ["-m", "gauntlet", "autoencoder", "--preset", "smoke", "--epochs", "60"]
    with mlflow_server(f"sqlite:///{shutil.copy(migrated, folder)}", folder) as uri:
        process = start(
            "python",
            *words,
            uri=_with_password(uri),
            MLFLOW_TRACKING_TOKEN=TOKEN,
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="1",
            GAUNTLET_CACHE=tmp_path,
        )
        wait_until(lambda: bool(list(folder.rglob("config.json"))), process, 120)
    out, err = process.communicate(timeout=300)
    assert _told([out, err, *_files(tmp_path)]) == []


def test_wrong_password_of_a_storage_is_not_shown(storage, store, capfd):
    wrong = storage.replace(PASSWORD, WORD.replace("&", "%26"))
    with pytest.raises(TrackingError, match="authentication failed") as error:
        open_study(TuneConfig(preset="smoke", storage=wrong))
    assert _told([str(error.value), *capfd.readouterr()]) == []


class _Guarded(http.server.BaseHTTPRequestHandler):
    """Answers as an MLflow server without experiments, and notes who asked."""

    asked: list[str | None]

    def do_GET(self) -> None:
        self.asked.append(self.headers["Authorization"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815 -- its name

    def log_message(self, *args: object) -> None:
        pass


def test_server_is_asked_with_the_password_of_its_address(tmp_path):
    _Guarded.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Guarded) as guarded:
        threading.Thread(target=guarded.serve_forever).start()
        uri = _with_password(f"http://127.0.0.1:{guarded.server_port}")
        with tracking_to(uri, tmp_path) as client:
            assert USER not in client.tracking_uri and WORD not in client.tracking_uri
        guarded.shutdown()
    word = base64.b64encode(f"{USER}:{WORD}".encode()).decode()
    assert _Guarded.asked[-1] == f"Basic {word}"
