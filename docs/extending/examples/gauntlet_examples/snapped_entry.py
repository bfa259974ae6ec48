"""The defence `snapped` describes itself."""

from gauntlet.catalogue.defences import AUTOENCODER, Defence

SNAPPED = Defence(
    name="snapped",
    sentence="the autoencoder filters the image, and each pixel becomes black or white",
    code="gauntlet_examples.snapped:build",
    autoencoders=(AUTOENCODER,),
    stand_in="autoencoder",
)
