"""The second paper: FUNN, an attacker autoencoder against a defender autoencoder."""

from __future__ import annotations

from gauntlet.catalogue.autoencoders import WIDTHS_TYPE
from gauntlet.catalogue.parameters import Parameter, integer
from gauntlet.catalogue.trainings import EPOCHS_TYPE
from gauntlet.papers.paper import AUTOATTACK_IMAGES, FEW, Paper

LOCAL_SEARCH_IMAGES = Parameter(
    "local_search_images",
    integer(1),
    100,
    "first test images for local_search: 19,300 queries per image",
)
FILTERS = Parameter(
    "filters",
    WIDTHS_TYPE,
    (16, 32, 64),
    "of FUNN and the classic autoencoder; the paper's figure of them is missing",
)
MAGNET_EPOCHS = Parameter(
    "magnet_epochs", EPOCHS_TYPE, 5, "of MagNet's autoencoders; published: 100"
)
MAGNET_CLASSIFIER_EPOCHS = Parameter(
    "magnet_classifier_epochs", EPOCHS_TYPE, 3, "of the classifier behind MagNet; published: 50"
)

PAPER = Paper(
    name="vigouroux2018",
    sentence="FUNN",
    code="gauntlet.papers.vigouroux2018.plan:networks",
    report="gauntlet.papers.vigouroux2018.report",
    data="gauntlet.papers.vigouroux2018.data:measures",
    parameters={
        parameter.name: parameter
        for parameter in (
            FEW,
            LOCAL_SEARCH_IMAGES,
            AUTOATTACK_IMAGES,
            FILTERS,
            MAGNET_EPOCHS,
            MAGNET_CLASSIFIER_EPOCHS,
        )
    },
    first_images=(FEW.name, LOCAL_SEARCH_IMAGES.name, AUTOATTACK_IMAGES.name),
)
