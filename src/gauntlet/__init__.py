"""Adversarial defences through a gauntlet of attacks, every number traceable.

The flow, left to right; a module imports only from its left:

    config -> data -> training -> autoencoders -> classifiers -> defences -> attacks
           -> evaluation -> tracking -> report -> steps -> tuning

`steps` composes the others: one file per entry point, each with `run(config)`. `tuning`, beside
this package, searches hyperparameters with them.
"""

__version__ = "0.1.0"
