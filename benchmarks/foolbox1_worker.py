"""Run an attack of foolbox 1.8 on a dense ReLU network; only foolbox 1's environment can run this.

`python foolbox1_worker.py NETWORK.npz ATTACK SEEDS OPTIONS` writes JSON to stdout: one object per
seed, as `benchmarks.foolbox1.Outcome` describes. NETWORK holds `images` (n, h, w, c), `labels` (n,)
and, for each layer, `kernel_0`, `bias_0`, ...; OPTIONS is JSON, the attack's own parameters.
"""

from __future__ import annotations

import collections
import collections.abc
import json
import sys
import time
import warnings

import numpy as np

collections.Iterable = collections.abc.Iterable  # foolbox 1 looks for it where Python 3.9 had it
warnings.simplefilter("ignore")  # it warns of every image that it cannot fool

import foolbox  # noqa: E402

ATTACKS = {
    "deepfool_l2": foolbox.attacks.DeepFoolL2Attack,
    "deepfool_linf": foolbox.attacks.DeepFoolLinfinityAttack,
    "single_pixel": foolbox.attacks.SinglePixelAttack,
    "local_search": foolbox.attacks.LocalSearchAttack,
}


class DenseNetwork(foolbox.models.DifferentiableModel):
    """ReLU between the layers, logits at the end, in float32."""

    def __init__(self, kernels, biases):
        super().__init__(bounds=(0, 1), channel_axis=3)
        self.kernels, self.biases = kernels, biases

    def num_classes(self):
        return len(self.biases[-1])

    def batch_predictions(self, images):
        return self._activations(images)[-1]

    def predictions_and_gradient(self, image, label):
        logits = self.predictions(image)
        d_logits = foolbox.utils.softmax(logits)
        d_logits[label] -= 1  # the gradient of the cross entropy
        return logits, self.backward(d_logits, image)

    def backward(self, gradient, image):
        hidden = self._activations(image[None])[:-1]
        for kernel, activation in zip(self.kernels[:0:-1], hidden[::-1], strict=True):
            gradient = (kernel @ gradient) * (activation[0] > 0)
        return (self.kernels[0] @ gradient).reshape(image.shape)

    def _activations(self, images):
        x = images.reshape(len(images), -1).astype(np.float32)
        outputs = []
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            x = (np.maximum(x, 0) if outputs else x) @ kernel + bias
            outputs.append(x)
        return outputs


def run(network, images, labels, name, seed, options):
    """Attack one image after the other, as foolbox 1 does; `None` means that it failed."""
    foolbox.rngs.set_seeds(seed)
    attack = ATTACKS[name](network)
    start = time.perf_counter()
    found = [attack(image, label, **options) for image, label in zip(images, labels, strict=True)]
    seconds = time.perf_counter() - start
    changes = [None if a is None else (a - x).ravel() for a, x in zip(found, images, strict=True)]
    return {
        "success": [change is not None for change in changes],
        "l2": [None if c is None else float(np.linalg.norm(c)) for c in changes],
        "linf": [None if c is None else float(np.abs(c).max()) for c in changes],
        "seconds": seconds,
    }


def main():
    """Read the arguments, write the outcomes."""
    path, name, seeds, options = sys.argv[1:]
    with np.load(path, allow_pickle=False) as arrays:
        layers = range(sum(key.startswith("kernel_") for key in arrays))
        network = DenseNetwork(*([arrays[f"{k}_{i}"] for i in layers] for k in ("kernel", "bias")))
        images, labels = arrays["images"], arrays["labels"].tolist()
    json.dump(
        [
            run(network, images, labels, name, seed, json.loads(options))
            for seed in range(int(seeds))
        ],
        sys.stdout,
    )


if __name__ == "__main__":
    main()
