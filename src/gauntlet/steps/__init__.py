"""Steps: one file an entry point; only here are data, models, attacks and tracking put together."""
