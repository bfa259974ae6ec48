"""The certificate `dual_norm` describes itself; TensorFlow is not imported."""

from gauntlet.catalogue.certificates import Certifiable, Certificate

AFFINE = "a network without activations"


def _has_activations(model: Certifiable) -> str:
    found = [what for network in model.networks.values() for what in network.nonlinear]
    return next((what for what in found if what != "linear"), "")


DUAL_NORM = Certificate(
    name="dual_norm",
    sentence="the distance of an image from the planes between its class and the others, in Linf",
    code="gauntlet_examples.dual_norm:certify",
    needs=AFFINE,
    obstacle=_has_activations,
)
