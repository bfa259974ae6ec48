"""A defence, put together from its trained networks."""

from __future__ import annotations

from dataclasses import replace

import keras

from gauntlet.arrays import Images
from gauntlet.cells.plan import Cell, Certification
from gauntlet.defences.defended_model import DefendedModel, Parts
from gauntlet.defences.stand_in import with_stand_in
from gauntlet.seeding import child_seed


def assemble(
    cell: Cell | Certification,
    classifier: keras.Model,
    autoencoders: tuple[keras.Model, ...],
    training_images: Images,
) -> DefendedModel:
    """Put a defence together, with what stands in for its filter in the backward pass.

    Args:
        cell: names the defence and its parameters.
        classifier: its one classifier.
        autoencoders: its autoencoders, in the catalogue's order.
        training_images: `(n, height, width, channels)`; a defence that is calibrated gets the last
            ones, which its autoencoder held out.
    """
    held_out = training_images[-cell.calibration_size :] if cell.calibration_size else None
    seed = child_seed(cell.seed, "judge")
    parts = Parts(classifier, autoencoders, held_out, seed)
    defended: DefendedModel = cell.defence.create(parts)
    if (stand_in := cell.defence.entry.stand_in) is None:
        return defended
    return replace(defended, autoencoder=with_stand_in(defended.autoencoder, stand_in, parts))
