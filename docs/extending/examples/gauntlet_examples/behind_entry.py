"""The threat model `behind_transfer` describes itself; it needs no code of its own."""

from gauntlet.catalogue.threat_models import ThreatModel

BEHIND = ThreatModel(
    name="behind_transfer",
    sentence="the perturbation is added behind the autoencoder, along a surrogate's gradient",
    perturbs="autoencoder_output",
    gradient_of="surrogate",
    judged_by="classifier",
    why="The attacker reaches the autoencoder's output, but has an undefended model of its own.",
)
