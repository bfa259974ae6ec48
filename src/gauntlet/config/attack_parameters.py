"""The parameters that say what is attacked and certified, and how."""

from __future__ import annotations

from gauntlet.catalogue.attacks import ATTACKS, ENSEMBLES
from gauntlet.catalogue.certificates import CERTIFICATES
from gauntlet.catalogue.default_attacks import DEFAULT, described
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.catalogue.parameters import Parameter, names
from gauntlet.catalogue.threat_models import THREAT_MODELS
from gauntlet.config.networks import classifier_parameters

ALL = "all"

RELATIVE_BUDGET = Parameter(
    "relative_budget",
    bool,
    False,
    "threat model encoded: multiply budgets by mean output / mean image, so that they mean the "
    "same on outputs of any scale",
)


def defence_parameters() -> tuple[Parameter, ...]:
    """Return which defences, and what they read beside their networks."""
    defence = Parameter(
        "defence",
        names("defence", DEFENCES),
        ("none", "encoded", "reformer"),
        f"list of {', '.join(DEFENCES)}",
    )
    shared = classifier_parameters()
    return defence, *(p for p in DEFENCES.parameters if p not in shared)


def attack_parameters() -> tuple[Parameter, ...]:
    """Return which attacks under which threat models, and what they read."""
    threat_models = Parameter(
        "threat_models",
        names("threat model", (ALL, *THREAT_MODELS)),
        (ALL,),
        f"all that apply, or a list of {', '.join(THREAT_MODELS)}",
    )
    ensembles = "; ".join(f"{name}: {', '.join(some)}" for name, some in ENSEMBLES.items())
    attacks = Parameter(
        "attacks",
        names("attack", (DEFAULT, *ATTACKS), shorthands=ENSEMBLES),
        (DEFAULT,),
        f"{DEFAULT}: {described()}; or a list of {', '.join(ATTACKS)}; {ensembles}",
    )
    return threat_models, attacks, RELATIVE_BUDGET, *ATTACKS.parameters


def certificate_parameters() -> tuple[Parameter, ...]:
    """Return which certificates, and what they read beside the budgets of attacks."""
    certificates = Parameter(
        "certificates",
        names("certificate", CERTIFICATES, least=0),
        (),
        f"list of {', '.join(CERTIFICATES)}: prove which images keep their class within a budget",
    )
    shared = ATTACKS.parameters
    return certificates, *(p for p in CERTIFICATES.parameters if p not in shared)
