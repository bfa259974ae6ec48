"""Data sets: a name goes in, a verified `Dataset` comes out.

Enters: `mnist`, `fashion_mnist`, `digits` or `npz:PATH`, and the environment variables
`GAUNTLET_CACHE`, `GAUNTLET_MNIST_MIRROR` and `GAUNTLET_FASHION_MNIST_MIRROR`.
Leaves: `dataset.Dataset` through `registry.load`, float32 images in [0, 1] and int64 labels.
"""
