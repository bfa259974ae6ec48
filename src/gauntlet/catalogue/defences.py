"""The defences: which networks each is made of, and what stands before its classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gauntlet.catalogue.classifiers import BEHIND_AUTOENCODER, SMOOTHING_SIGMA, Inputs
from gauntlet.catalogue.components import Catalogue, Component
from gauntlet.catalogue.names import Name
from gauntlet.catalogue.parameters import Parameter, Value, Values, integer, names, real

DETECTOR_NAMES = ("l2", "l1", "jsd")

DETECTORS = Parameter(
    "detectors",
    names("detector", DETECTOR_NAMES),
    ("l2", "l1"),
    "magnet: list of l2 (error of magnet_1), l1 (of magnet_2), jsd (divergence of the predictions, "
    "temperatures 10 and 40)",
)
FALSE_POSITIVE_RATE = Parameter(
    "false_positive_rate",
    real(above=0, below=1),
    0.001,
    "magnet: clean validation images that each detector rejects",
)
STOCHASTIC = Parameter(
    "stochastic",
    bool,
    False,
    "encoded, reformer: draw a variational latent or denoising noise at test time",
)
EOT_SAMPLES = Parameter(
    "eot_samples",
    integer(1, 10_000),
    20,
    "stochastic, smoothing: draws that each gradient averages (EOT)",
    when=("stochastic", True),
)
JUDGE_DRAWS = Parameter(
    "judge_draws",
    integer(1, 10_000),
    50,
    "stochastic, smoothing: fresh draws that vote on each image",
    when=("stochastic", True),
)

QUANTISED_BITS = Parameter(
    "quantised_bits",
    integer(1, 8),
    1,
    "quantised: bits of a pixel that are left; 1, black or white, as published for MNIST",
)

AUTOENCODER = "autoencoder"
"""The part of a defence that is the run's own autoencoder, whatever its kind."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Defence(Component):
    """A defence; its code is a function that puts it together from trained networks.

    Attributes:
        autoencoders: the autoencoders that it is made of: `AUTOENCODER`, or kinds of its own.
        inputs: what its one classifier learned from.
        before: what stands before that classifier: nothing; a `filter`, whose output the classifier
            sees as an image; an `encoder`, without which it sees nothing; `detectors`, which may
            reject an image, and a filter; or `noise`, and perhaps a filter.
        unless: autoencoders that are left out where this says so, given the parameters' values.
        calibrated_by: the autoencoder whose held-out images it also needs.
        stand_in: what gradients go through in the place of its filter, which draws nothing (BPDA):
            the identity, or the first of its autoencoders; None: the filter itself.
    """

    autoencoders: tuple[str, ...] = ()
    inputs: Inputs = "raw"
    before: Literal["nothing", "filter", "encoder", "detectors", "noise"] = "filter"
    unless: Mapping[str, Callable[[Values], bool]] = field(default_factory=dict)
    calibrated_by: str | None = None
    stand_in: Literal["identity", "autoencoder"] | None = None

    def __post_init__(self) -> None:
        """Check that the classifier's inputs and the stand-in go with the rest."""
        if self.inputs in BEHIND_AUTOENCODER and AUTOENCODER not in self.autoencoders:
            raise ValueError(
                f"defence '{self.name}': inputs='{self.inputs}' are of the run's own autoencoder, "
                "which is not among its autoencoders"
            )
        if self.stand_in and self.before != "filter":
            raise ValueError(
                f"defence '{self.name}': stand_in='{self.stand_in}' is of a filter, and "
                f"before='{self.before}' is none"
            )
        if self.stand_in == "autoencoder" and not self.autoencoders:
            raise ValueError(
                f"defence '{self.name}': stand_in='autoencoder' is the first of its autoencoders, "
                "and it has none"
            )

    def parts(self, values: Values) -> tuple[str, ...]:
        """Return the networks that it is made of: its autoencoders, and last its classifier."""
        left_out = [name for name, tells in self.unless.items() if tells(values)]
        return (*(name for name in self.autoencoders if name not in left_out), self.inputs)

    @property
    def has_run_autoencoder(self) -> bool:
        """Whether the run's own autoencoder is a part of it."""
        return AUTOENCODER in self.autoencoders


SHARE, ONCE = "share, in [0, 1]", "once, step 0"

_BEFORE: dict[str, Value] = {
    "code": "gauntlet.defences.before:build",
    "autoencoders": (AUTOENCODER,),
    "parameters": {
        "stochastic": STOCHASTIC,
        "samples": EOT_SAMPLES,
        "judge_draws": JUDGE_DRAWS,
    },
}

_SMOOTHED: dict[str, Value] = {
    "code": "gauntlet.defences.smoothing:build",
    "parameters": {
        "sigma": SMOOTHING_SIGMA,
        "samples": EOT_SAMPLES,
        "judge_draws": JUDGE_DRAWS,
    },
    "before": "noise",
}

DEFENCES = Catalogue(
    Defence,
    "defence",
    (
        Defence(
            name="none",
            sentence="the classifier alone",
            code="gauntlet.defences.before:undefended",
            before="nothing",
        ),
        Defence(
            name="encoded",
            sentence="the classifier learned from the autoencoder's output and stands behind it",
            source="first paper, section 5.2",
            inputs="encoded",
            **_BEFORE,
        ),
        Defence(
            name="reformer",
            sentence="the autoencoder filters the input of a classifier that learned from images",
            source="first paper, section 1; Meng and Chen 2017",
            **_BEFORE,
        ),
        Defence(
            name="quantised",
            sentence="each pixel is rounded to few bits, before a classifier that learned from "
            "images",
            source="Xu, Evans and Qi 2018",
            code="gauntlet.defences.quantised:build",
            parameters={"bits": QUANTISED_BITS},
            stand_in="identity",
        ),
        Defence(
            name="features",
            sentence="the classifier stands on the encoder's features",
            source="second paper, section 4.1",
            code="gauntlet.defences.features:build",
            autoencoders=(AUTOENCODER,),
            inputs="features",
            before="encoder",
        ),
        Defence(
            name="magnet",
            sentence="detectors reject images far from the training data, a reformer reconstructs "
            "the others",
            source="Meng and Chen 2017",
            code="gauntlet.defences.magnet:build",
            autoencoders=("magnet_1", "magnet_2"),
            parameters={"detectors": DETECTORS, "rate": FALSE_POSITIVE_RATE},
            before="detectors",
            unless={"magnet_2": lambda values: "l1" not in values["detectors"]},
            calibrated_by="magnet_1",
            metrics=(
                Name("magnet/threshold_<detector>", "a detector's threshold", "its own", ONCE),
                Name("magnet/false_positive_rate", "clean images rejected", SHARE, ONCE),
                Name("magnet/accuracy_none", "robust accuracy of the classifier alone", SHARE),
                Name("magnet/accuracy_detector", "the same behind the detectors", SHARE),
                Name("magnet/accuracy_reformer", "the same behind the reformer", SHARE),
                Name("magnet/accuracy_both", "the same behind both", SHARE),
            ),
        ),
        Defence(
            name="smoothing",
            sentence="the majority vote, over Gaussian noise, of a classifier that learned with "
            "the same noise",
            source="Cohen et al. 2019",
            inputs="noisy",
            **_SMOOTHED,
        ),
        Defence(
            name="denoised_smoothing",
            sentence="the majority vote, over Gaussian noise, of a classifier that learned from "
            "images, behind an autoencoder that removes the noise",
            source="Salman et al. 2020",
            autoencoders=(AUTOENCODER,),
            **_SMOOTHED,
        ),
    ),
)
