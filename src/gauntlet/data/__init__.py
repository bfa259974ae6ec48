"""Data sets: a name goes in, a verified `Dataset` comes out of `registry.load`.

A name is `mnist`, `fashion_mnist`, `digits` or `npz:PATH`. The environment variables
`GAUNTLET_CACHE`, `GAUNTLET_MNIST_MIRROR` and `GAUNTLET_FASHION_MNIST_MIRROR` say where data are
kept and fetched. Images are float32 in [0, 1], labels are int64.
"""
