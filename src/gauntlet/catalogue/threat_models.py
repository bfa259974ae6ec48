"""The threat models: what is perturbed, what the attacker has, who judges the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gauntlet.catalogue.attacks import Attack, Need
from gauntlet.catalogue.components import Catalogue, Component
from gauntlet.catalogue.defences import Defence
from gauntlet.catalogue.parameters import Json

GRANTS: dict[str, frozenset[Need]] = {
    "gradients": frozenset(("gradients", "scores", "decisions", "nothing")),
    "scores": frozenset(("scores", "decisions")),
    "decisions": frozenset(("decisions",)),
}
"""What a threat model grants -> what an attack under it may need.

Where no gradients are granted, random noise is left out: no grant changes it.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class ThreatModel(Component):
    """A threat model; `gauntlet.attacks.threat_models.Scenario` puts it before a defended model.

    Attributes:
        perturbs: where the perturbation is added: to the image, or to the autoencoder's output.
        gradient_of: the model that the attacker has: the whole defended model, its classifier
            alone, or an undefended surrogate that the attacker trained from another seed.
        judged_by: the model that decides whether an attack succeeded.
        grants: what the attacker may use of that model.
        why: a paragraph for reports: who knows what, and what its numbers say; Markdown.
    """

    code: str = field(default="gauntlet.attacks.threat_models:Scenario", init=False)
    perturbs: Literal["input", "autoencoder_output"] = "input"
    gradient_of: Literal["defended", "classifier", "surrogate"] = "defended"
    judged_by: Literal["defended", "classifier"] = "defended"
    grants: Literal["gradients", "scores", "decisions"] = "gradients"
    why: str

    @property
    def on_images(self) -> bool:
        """Whether the perturbation is added to the image, before any autoencoder."""
        return self.perturbs == "input"

    @property
    def knows_all(self) -> bool:
        """Whether the attacker perturbs the image along the gradient of the whole defence."""
        return self.on_images and (self.gradient_of, self.grants) == ("defended", "gradients")

    @property
    def settings(self) -> Json:
        """What decides a result, as JSON."""
        return {name: getattr(self, name) for name in ("perturbs", "gradient_of", "judged_by")}

    def suits(self, defence: Defence) -> bool:
        """Tell whether it makes sense for a defence.

        Who attacks the classifier alone leaves out what stands before it: there must be something
        to leave out, and the classifier must see images without it. Who perturbs an autoencoder's
        output needs one that the classifier sees, with nothing else beside it.
        """
        if not self.on_images:
            return defence.before == "filter"
        left_out = ("filter", "detectors", "noise")
        return self.gradient_of != "classifier" or defence.before in left_out

    def allows(self, attack: Attack) -> bool:
        """Tell whether an attack may run under what is granted; see `GRANTS`."""
        return attack.needs in GRANTS[self.grants]


THREAT_MODELS = Catalogue(
    ThreatModel,
    "threat model",
    (
        ThreatModel(
            name="white_box",
            sentence="the attacker knows the whole defended model and follows its gradient",
            why="The attacker knows all of the defence and perturbs the image; the gradient goes "
            "through autoencoder and classifier, and the whole defended model judges. **The honest "
            "number**: a defence that works only while it is secret is not one.",
        ),
        ThreatModel(
            name="gray_box",
            sentence="the attacker follows the classifier's gradient, as if nothing stood before "
            "it",
            source="first paper, section 1; Meng and Chen 2017",
            gradient_of="classifier",
            why="The attacker knows the classifier but not of the autoencoder or the noise before "
            "it; the defended model judges. The first paper's idea of a filter, and MagNet's own "
            "evaluation.",
        ),
        ThreatModel(
            name="transfer",
            sentence="the attacker follows the gradient of an undefended model of its own",
            gradient_of="surrogate",
            why="The attacker has an undefended model of its own, trained from another seed, and "
            "carries its adversarial images over.",
        ),
        ThreatModel(
            name="encoded",
            sentence="the perturbation is added behind the autoencoder, to its output",
            source="first paper, section 5.2",
            perturbs="autoencoder_output",
            gradient_of="classifier",
            judged_by="classifier",
            why="The perturbation is added *behind* the autoencoder, to its output, and the "
            "classifier judges. The first paper measured its logistic regression so; the "
            "autoencoder filters nothing here, and a budget means little where the output's scale "
            "is free.",
        ),
        ThreatModel(
            name="black_box",
            sentence="the attacker sees scores alone",
            grants="scores",
            why="The attacker asks for scores only. Where this beats white_box, gradients are "
            "masked.",
        ),
        ThreatModel(
            name="decision",
            sentence="the attacker sees the predicted class alone",
            source="Brendel et al. 2018",
            grants="decisions",
            why="The attacker asks for predicted classes only, which is all that many services "
            "tell. No defence stops it by hiding gradients or scores; it takes tens of thousands "
            "of queries per image instead. Where this beats white_box, gradients are masked.",
        ),
    ),
)


def on_images() -> tuple[str, ...]:
    """Return the names of the threat models that perturb the image."""
    return tuple(name for name, entry in THREAT_MODELS.items() if entry.on_images)


def suiting(defence: Defence) -> tuple[str, ...]:
    """Return the names of the threat models that make sense for a defence."""
    return tuple(name for name, entry in THREAT_MODELS.items() if entry.suits(defence))
