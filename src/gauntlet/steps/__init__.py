"""Steps: a file per entry point; only here are data, models, attacks and tracking put together."""
