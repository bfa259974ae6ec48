"""Adversarial defences through a gauntlet of attacks, every number traceable.

The flow, left to right; a module imports only from its left:

    catalogue -> config -> data -> training -> autoencoders -> classifiers -> defences -> attacks
              -> evaluation -> examination -> cells -> tracking -> report -> papers -> pipeline
              -> entry_points -> tuning

`catalogue` says what there is, `config` what is asked for. What follows computes, up to `cells`:
one attack on one defended model. `tracking` remembers it. `pipeline` composes the others, and
`entry_points` has one file per entry point, each with `run(config)`. `tuning`, beside this package,
searches hyperparameters with them.
"""

__version__ = "0.1.0"
