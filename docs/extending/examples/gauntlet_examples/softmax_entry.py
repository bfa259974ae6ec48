"""The classifier `softmax` describes itself."""

from gauntlet.catalogue.classifiers import (
    CLASSIFIER_BATCH_SIZE,
    CLASSIFIER_EPOCHS,
    CLASSIFIER_RATE,
    Classifier,
    Schedule,
)
from gauntlet.catalogue.trainings import VALIDATION_SIZE

SOFTMAX = Classifier(
    name="softmax",
    typed="softmax",
    sentence="one linear layer, trained with Adam",
    code="gauntlet_examples.softmax:build",
    training={
        "epochs": CLASSIFIER_EPOCHS,
        "batch_size": CLASSIFIER_BATCH_SIZE,
        "learning_rate": CLASSIFIER_RATE,
        "validation_size": VALIDATION_SIZE,
    },
    published=Schedule(10, 128, 0.01),
)
