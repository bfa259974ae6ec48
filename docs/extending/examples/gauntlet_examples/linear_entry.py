"""The autoencoder `linear` describes itself."""

from gauntlet.catalogue.autoencoders import ANY_TRAINING, LOSS, Autoencoder, presets
from gauntlet.catalogue.parameters import Parameter, integer
from gauntlet.catalogue.trainings import LEARNING_RATE

UNITS = Parameter("linear_units", integer(1, 65536), 16, "linear: size of the code")

LINEAR = Autoencoder(
    name="linear",
    sentence="one linear layer to a code and one back: principal components",
    code="gauntlet_examples.linear:build",
    parameters={"units": UNITS},
    training={**ANY_TRAINING, "learning_rate": LEARNING_RATE, "loss": LOSS},
    presets=presets(epochs=20, batch_size=128, loss="mean_squared_error"),
)
