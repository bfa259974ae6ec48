"""The entry point `census` describes itself."""

from gauntlet.catalogue.entry_points import EntryPoint

CENSUS = EntryPoint(
    name="census",
    sentence="Count the images of each class",
    code="gauntlet_examples.census:run",
    config="gauntlet_examples.census_config:CensusConfig",
    experiment="censuses",
)
