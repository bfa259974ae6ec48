"""The claims of a paper: as data, measured, judged, and reported."""
