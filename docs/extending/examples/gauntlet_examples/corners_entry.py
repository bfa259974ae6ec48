"""The attack `corners` describes itself; TensorFlow is not imported."""

from gauntlet.catalogue.attacks import Attack
from gauntlet.catalogue.parameters import Parameter, integer

DRAWS = Parameter("corners_draws", integer(1, 10_000), 10, "corners: corners that it tries")

CORNERS = Attack(
    name="corners",
    sentence="random corners of the budget's cube; keeps the one with the highest margin",
    code="gauntlet_examples.corners:Corners",
    parameters={"draws": DRAWS},
    needs="scores",
    random=True,
)
