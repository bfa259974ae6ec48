"""The data set `stripes` describes itself."""

from gauntlet.catalogue.datasets import DatasetEntry

STRIPES = DatasetEntry(
    name="stripes",
    sentence="8x8 images with one bright row; the row is the class",
    code="gauntlet_examples.stripes:load",
    classes=8,
    is_local=True,
)
