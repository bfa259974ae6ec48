"""The defence `blur` describes itself."""

from gauntlet.catalogue.defences import Defence
from gauntlet.catalogue.parameters import Parameter, integer

SIZE = Parameter("blur_size", integer(1, 99), 3, "blur: side of the window that is averaged")

BLUR = Defence(
    name="blur",
    sentence="the mean of a window stands in the place of each pixel",
    code="gauntlet_examples.blur:build",
    parameters={"size": SIZE},
)
