"""One file per entry point, each with `run(config)`."""
