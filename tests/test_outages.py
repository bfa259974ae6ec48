"""A store that refuses, is full or is away: one line, in time, and no run stays RUNNING."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
from servers import gate_to, mlflow_server, tracking_to
from stored import runs_of

from gauntlet.errors import TrackingError
from gauntlet.pipeline.session import session
from gauntlet.tracking import patience
from gauntlet.tracking.runs import tracked_run

ENDS_WITHIN = 120
GIVES_UP_WITHIN = 20


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GAUNTLET_CACHE", str(tmp_path / "cache"))


def _statuses(client: mlflow.MlflowClient) -> list[str]:
    return [run.info.status for run in runs_of(client)]


def _open(tiny, **how):
    return tracked_run("attacks", "a name", tiny("autoencoder").as_json(), tags={}, **how)


# --- a store that refuses ---


class _ReadOnly(BaseHTTPRequestHandler):
    """A server that lets everybody read, which is nothing, and nobody write."""

    def do_GET(self) -> None:
        self._answer(200, b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        reads = self.path.endswith("/search")
        self._answer(200 if reads else 403, b"{}" if reads else b"Permission denied")

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def read_only() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _ReadOnly) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_user_who_may_only_read_is_told_in_one_line(read_only, tiny, tmp_path):
    began = time.monotonic()
    with tracking_to(read_only, tmp_path), session("attack"):
        told = pytest.raises(TrackingError, match=r"refuses to be written .*Permission denied")
        with told as error, _open(tiny):
            pass
    assert read_only in str(error.value) and "\n" not in str(error.value)
    assert time.monotonic() - began < patience.PATIENCE_SECONDS, "no waiting mends it"


def test_artifact_folder_that_cannot_be_written_is_named(store, tiny, tmp_path):
    store_file = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"))
    folder = store_file.parent / "mlartifacts"
    folder.rmdir()
    folder.write_text("a file")
    with pytest.raises(TrackingError, match=r"mlartifacts.* cannot be written"), _open(tiny):
        pass
    assert _statuses(store) == ["FAILED"]


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1800k", "tmpfs", folder]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only a user who may mount can make a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 200_000])
def test_full_disk_is_said_in_one_line(small_disk, migrated, start, tmp_path, left):
    database = small_disk / "mlflow.db"
    database.write_bytes(migrated.read_bytes())
    filler = small_disk / "filler"
    room = os.statvfs(small_disk)
    filler.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - left)))
    uri = f"sqlite:///{database}"
    process = start("python", "-m", "gauntlet", "autoencoder", "--preset=smoke", uri=uri)
    _, err = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 1
    assert err.startswith("error: ") and err.count("\n") == 1 and str(small_disk) in err
    filler.unlink()
    with tracking_to(uri, tmp_path) as client, session("attack"):
        assert "RUNNING" not in _statuses(client)


# --- a store that is away ---


@pytest.fixture(scope="module")
def server(migrated, tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "s.db").write_bytes(migrated.read_bytes())
    with mlflow_server(f"sqlite:///{folder}/s.db", folder) as uri:
        yield uri


@pytest.fixture(params=["server", "cluster"])
def gate(request):
    """Another address of a server or of a database, and the gate on the way."""
    with gate_to(request.getfixturevalue(request.param)) as uri_and_gate:
        yield uri_and_gate


@pytest.mark.slow
def test_short_outage_loses_nothing(gate, tiny, tmp_path):
    uri, way = gate
    with tracking_to(uri, tmp_path) as client:
        with session("attack"), _open(tiny) as run:
            way.shut()
            threading.Timer(5, way.open).start()
            run.metrics([("a", 1.0)])
            run.flush()
            run.text("a.txt", "a")
        found = client.get_run(run.id)
        assert (found.info.status, found.data.metrics["a"]) == ("FINISHED", 1.0)
        assert "traceback.txt" not in [file.path for file in client.list_artifacts(run.id)]


@pytest.mark.slow
def test_lost_store_ends_all_runs_within_one_patience(gate, tiny, tmp_path):
    uri, way = gate
    with tracking_to(uri, tmp_path):
        lost = pytest.raises(TrackingError, match=r"no longer answers \(.*\): start it again")
        with lost as error, session("attack"), _open(tiny) as run, _open(tiny, parent=run) as child:
            way.shut()
            began = time.monotonic()
            child.metrics([("a", 1.0)])
            child.flush()
        assert time.monotonic() - began < GIVES_UP_WITHIN
        assert "\n" not in str(error.value)
        way.open()
        with session("attack"):
            client = mlflow.MlflowClient()
            assert {client.get_run(r.id).info.status for r in (run, child)} == {"KILLED"}


WAITING = """
import sys
from gauntlet import __main__
from gauntlet.tracking import runs
from gauntlet.entry_points import attack
from gauntlet.pipeline.session import session

def run(config):
    with session("attack"), runs.tracked_run("attacks", "a", config.as_json(), tags={}) as parent:
        with runs.tracked_run("attacks", "b", config.as_json(), tags={}, parent=parent) as run:
            print("begun", flush=True)
            sys.stdin.readline()
            print("failing", flush=True)
            run.metrics([("a", 1.0)])
            run.flush()

attack.run = run
sys.exit(__main__.main(["attack", "--preset=smoke"]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_signal_is_obeyed_while_the_store_is_waited_for(gate, number, tmp_path):
    uri, way = gate
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.PIPE,
        env=os.environ | {"MLFLOW_TRACKING_URI": uri},
        cwd=tmp_path,
    )
    try:
        while process.stdout.readline() not in ("begun\n", ""):
            pass
        way.shut()
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "failing\n"
        time.sleep(2)
        began = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - began < patience.PATIENCE_SECONDS / 2
        assert process.returncode == 130 and err.count("\n") == 1
        assert err.startswith("interrupted: its runs are not ended: ")
    finally:
        process.kill()
        process.communicate()
