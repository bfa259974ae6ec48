"""Tracking stores for tests: this process's own, an `mlflow server`, a PostgreSQL cluster."""

from __future__ import annotations

import contextlib
import getpass
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import psycopg
import pytest

from gauntlet.tracking.store import open_store

PASSWORD = "hunter2"  # noqa: S105 -- of a cluster that lives for a test
START_SECONDS = 120


@contextlib.contextmanager
def tracking_to(uri: str, folder: Path) -> Iterator[mlflow.MlflowClient]:
    """Make `uri` the store of this process, in `folder`, as if nothing else were set."""
    kept = dict(os.environ)
    for name in [name for name in kept if name.lstrip("_").startswith("MLFLOW_")]:
        del os.environ[name]
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        with contextlib.chdir(folder):
            yield mlflow.MlflowClient(open_store())
    finally:
        mlflow.set_tracking_uri(None)
        os.environ.clear()
        os.environ.update(kept)


@contextlib.contextmanager
def mlflow_server(backend: str, folder: Path) -> Iterator[str]:
    """Run `mlflow server` on a database; yield its address."""
    port = free_port()
    options = {
        "host": "127.0.0.1",
        "port": port,
        "workers": 1,
        "backend-store-uri": backend,
        "artifacts-destination": folder / "served",
    }
    command = [Path(sys.executable).parent / "mlflow", "server"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    with _process(command, folder) as process, contextlib.chdir(folder):
        uri = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(f"{uri}/health"), process, START_SECONDS)
        yield uri


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL cluster of its own; yield the URI of an empty database in it.

    Not below pytest's folders, which no other user may enter: PostgreSQL refuses to run as root.
    Skips the test where PostgreSQL is not installed.
    """
    if _program("initdb") is None:
        pytest.skip("PostgreSQL (initdb) is not installed")
    user = "postgres" if os.getuid() == 0 else getpass.getuser()
    with tempfile.TemporaryDirectory() as name:
        shutil.chown(name, user)
        folder, port = Path(name), free_port()
        (folder / "password").write_text(PASSWORD)
        shutil.chown(folder / "password", user)
        initialise = [
            "--auth=scram-sha-256",
            "--username=gauntlet",
            "--no-sync",
            f"--pwfile={folder}/password",
            f"--pgdata={folder}/data",
        ]
        command = [_program("initdb"), *initialise]
        subprocess.run(command, user=user, cwd=folder, check=True, capture_output=True)
        command = [
            _program("postgres"),
            "-D",
            f"{folder}/data",
            "-k",
            name,
            "-F",
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
        ]
        with _process(command, folder, user=user, stop=signal.SIGINT) as process:
            uri = f"gauntlet:{PASSWORD}@127.0.0.1:{port}/postgres"
            wait_until(lambda: _accepts(f"postgresql://{uri}"), process, START_SECONDS)
            yield f"postgresql+psycopg://{uri}"


class Gate:
    """A way to a server of this machine that can be shut: connections end and are refused."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._behind = port
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def open(self) -> None:
        listener = self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        listener, self._listener = self._listener, None
        for each in (listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._behind))
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def gate_to(uri: str) -> Iterator[tuple[str, Gate]]:
    """Yield another address of a server, and the gate on the way there, open."""
    port = urlsplit(uri).port
    gate = Gate(port)
    gate.open()
    try:
        yield uri.replace(f":{port}", f":{gate.port}"), gate
    finally:
        if gate._listener:
            gate.shut()


def _program(name: str) -> str | None:
    """Return the path of a program of PostgreSQL; None where it is not installed."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))  # noqa: PTH207 -- absolute
    return found[-1] if found else shutil.which(name)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    true: Callable[[], bool], process: subprocess.Popen[str] | None, seconds: float
) -> None:
    """Poll until `true`; fail at the deadline, or as soon as the process is gone."""
    end = time.monotonic() + seconds
    while not true():
        assert process is None or process.poll() is None, "the process ended too early"
        assert time.monotonic() < end, f"nothing came within {seconds} s"
        time.sleep(0.1)


@contextlib.contextmanager
def _process(
    command: list[object], folder: Path, *, stop: int = signal.SIGTERM, user: str | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a server in a group of its own; end all of it afterwards."""
    environment = {k: v for k, v in os.environ.items() if "MLFLOW_" not in k}
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            user=user,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            text=True,
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, stop)
            process.wait(60)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        return answer.status == 200
    return False


def _accepts(uri: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(uri, connect_timeout=5):
        return True
    return False
