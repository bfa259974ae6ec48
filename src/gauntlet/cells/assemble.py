"""A defence, put together from its trained networks."""

from __future__ import annotations

import keras

from gauntlet.arrays import Images
from gauntlet.cells.plan import Cell, Certification
from gauntlet.defences.defended_model import DefendedModel, Parts
from gauntlet.seeding import child_seed


def assemble(
    cell: Cell | Certification,
    classifier: keras.Model,
    autoencoders: tuple[keras.Model, ...],
    training_images: Images,
) -> DefendedModel:
    """Put the defence of a cell or a certification together.

    Args:
        cell: it; names the defence and its parameters.
        classifier: its one classifier.
        autoencoders: its autoencoders, in the catalogue's order.
        training_images: `(n, height, width, channels)`; a defence that is calibrated gets the last
            ones, which its autoencoder held out.
    """
    held_out = training_images[-cell.calibration_size :] if cell.calibration_size else None
    seed = child_seed(cell.seed, "judge")
    defended: DefendedModel = cell.defence.create(Parts(classifier, autoencoders, held_out, seed))
    return defended
