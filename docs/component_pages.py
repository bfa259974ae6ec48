"""The pages of the reference that list components, from the catalogue. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from markdown import code, escaped, table

from gauntlet.catalogue.attacks import ATTACKS, ENSEMBLES, Attack
from gauntlet.catalogue.autoencoders import AUTOENCODERS
from gauntlet.catalogue.certificates import CERTIFICATES
from gauntlet.catalogue.classifiers import CLASSIFIERS, Classifier
from gauntlet.catalogue.components import Component
from gauntlet.catalogue.datasets import DATASETS
from gauntlet.catalogue.default_attacks import DEFAULT, described
from gauntlet.catalogue.defences import DEFENCES
from gauntlet.catalogue.threat_models import THREAT_MODELS, suiting

WRITTEN = (
    "<!-- Written by docs/generate.py from src/gauntlet/catalogue: edit that, then run "
    "`make docs`. -->"
)


def attacks() -> str:
    """Return the page of the attacks."""
    columns = {
        "needs": lambda a: a.needs,
        "makes small": lambda a: NORMS[a.norm],
        "budget": _budget,
        "random": lambda a: "yes" if a.random else "no",
        "misclassified images": lambda a: "left" if a.skips_misclassified else "attacked too",
    }
    said = (
        "An [attack](../concepts.md#attack) *needs* gradients, or scores alone, or decisions (the "
        "predicted class) alone, or nothing. A [threat model](threat_models.md) that grants scores "
        "alone leaves out attacks that need gradients, and attacks that need nothing: no grant "
        "changes them. One that grants decisions alone leaves out attacks that need scores, too. "
        "Where its budget is *each epsilon*, an attack runs once per epsilon. Where it is *minimum "
        "norm*, one search serves every epsilon: at each, it counts what was found within it. An "
        "image that is misclassified without attack is *left* as it is or *attacked too*; neither "
        "is a success.\n"
    )
    default = (
        f"{code(DEFAULT)}, which runs where no attack is named, stands for {described(code)}.\n"
    )
    ensembles = (
        f"`{name}` stands for {', '.join(map(code, some))}; an image falls if any of them "
        "fells it.\n"
        for name, some in ENSEMBLES.items()
    )
    return _page("Attacks", "attacks", [said, default, *ensembles], ATTACKS.values(), columns)


def defences() -> str:
    """Return the page of the defences."""
    columns = {
        "made of": lambda d: ", ".join([*d.autoencoders, "a classifier"]),
        "the classifier learns from": lambda d: INPUTS[d.inputs],
        "gradients go through": lambda d: f"the {d.stand_in} (BPDA)" if d.stand_in else "all of it",
        "threat models": lambda d: ", ".join(map(code, suiting(d))),
    }
    said = (
        "`autoencoder` stands for the run's own, whatever its kind. A [threat "
        "model](threat_models.md) makes sense for a defence if there is something to leave out, "
        "or an output to perturb. [BPDA](../concepts.md#bpda): an image goes through the "
        "filter, its gradient through something that stands in for it.\n"
    )
    return _page("Defences", "defence", [said], DEFENCES.values(), columns)


def certificates() -> str:
    """Return the page of the certificates."""
    columns = {
        "needs": lambda c: c.needs,
        "budgets": lambda c: code(c.budgets.name),
        "norm": lambda c: NORMS[c.budgets.unit.norm],
        "random": lambda c: "yes" if c.random else "no",
    }
    said = (
        "A [certificate](../concepts.md#certificate) proves of an image that no change within a "
        "budget alters the class. What it needs, it needs of the whole defended model: a defence "
        "that lacks it is left out, and if none is left the command is refused.\n"
    )
    return _page("Certificates", "certificates", [said], CERTIFICATES.values(), columns)


def threat_models() -> str:
    """Return the page of the threat models."""
    columns = {
        "perturbs": lambda t: "the image" if t.on_images else "the autoencoder's output",
        "has": lambda t: HAS[t.gradient_of],
        "may use": lambda t: GRANTS[t.grants],
        "judged by": lambda t: HAS[t.judged_by],
    }
    page = _page("Threat models", "threat_models", [], THREAT_MODELS.values(), columns)
    why = (f"* `{name}`: {entry.why}" for name, entry in THREAT_MODELS.items())
    return "\n".join([page, "## What their numbers say\n", *why, ""])


def networks() -> str:
    """Return the page of autoencoders and classifiers."""
    of_autoencoders = {"has a code": lambda a: "yes" if a.has_code else "no"}
    of_classifiers = {
        "typed": lambda c: code(c.typed),
        "learns from": lambda c: ", ".join(INPUTS[name] for name in c.inputs),
        "schedule": _schedule,
    }
    first = _page(
        "Networks", "autoencoder", [], AUTOENCODERS.values(), of_autoencoders, "Autoencoders"
    )
    second = _section("Classifiers", "classifier", CLASSIFIERS.values(), of_classifiers)
    return first + "\n" + "\n".join(second)


def datasets() -> str:
    """Return the page of the data sets."""
    columns = {
        "typed": lambda d: code(d.typed),
        "classes": lambda d: str(d.classes or "as in the file"),
        "needs a network": lambda d: "no" if d.is_local else "once; then it is cached",
    }
    return _page("Data sets", "dataset", [], DATASETS.values(), columns)


GRANTS = {
    "gradients": "gradients and scores",
    "scores": "scores alone",
    "decisions": "the predicted class alone",
}
NORMS = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "number of pixels"}
INPUTS = {
    "raw": "images",
    "encoded": "the autoencoder's output",
    "features": "the encoder's features",
    "noisy": "images with noise",
}
HAS = {
    "defended": "the whole defended model",
    "classifier": "the classifier alone",
    "surrogate": "an undefended model of its own",
}

Columns = Mapping[str, Callable[..., str]]


def _budget(attack: Attack) -> str:
    if not attack.keeps_budget:
        return f"`{attack.budgets.name}`, not kept, as published"
    within = attack.budgets.unit.norm.within
    return f"minimum norm{within}" if attack.finds_minimum else f"each epsilon{within}"


def _schedule(classifier: Classifier) -> str:
    if classifier.published:
        epochs, batch_size, rate = classifier.published
        return f"{epochs} epochs, batches of {batch_size}, learning rate {rate:g}"
    if classifier.takes:
        return f"none: published weights; takes {classifier.takes}"
    fixed = classifier.training_fixed
    return f"{fixed['epochs']} iterations" if "epochs" in fixed else "as the autoencoder"


def _reads(component: Component) -> str:
    return ", ".join(code(p.name) for p in component.all_parameters) or "nothing"


def _page(
    title: str,
    flag: str,
    said: Iterable[str],
    components: Iterable[Component],
    columns: Columns,
    heading: str = "",
) -> str:
    section = _section(heading, flag, components, columns)
    return "\n".join([f"# {title}\n", WRITTEN + "\n", *said, *section])


def _section(
    heading: str, flag: str, components: Iterable[Component], columns: Columns
) -> Iterator[str]:
    """Yield a table that says what each component is, and one of its properties."""
    if heading:
        yield f"## {heading}\n"
    some = list(components)
    said = ([code(c.name), escaped(c.sentence), escaped(c.source)] for c in some)
    yield from table((code(flag), "what it is", "source"), said)
    if any(c.all_parameters for c in some):
        columns = {**columns, "reads": _reads}
    properties = ([code(c.name), *(escaped(say(c)) for say in columns.values())] for c in some)
    yield from table((code(flag), *columns), properties)
