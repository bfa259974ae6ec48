"""FUNN (second paper, section 3): two autoencoders in a game that makes the features robust.

The attacker A changes an image x as little as it can, under the constraint that the defender's
error in restoring x reaches beta (equation 5). The defender D learns to restore x from what the
attacker shows it. Both errors are mean squared errors per pixel, the only reading of the paper's
"L2 loss" that fits a beta of 0.01.

Training has two phases. In the first, both players learn to reproduce x, each alone. In the second
they take turns on every batch, and only parts of them learn: the attacker's generator, then the
defender's encoder.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gauntlet.arrays import Images
from gauntlet.autoencoders.attacker import game_metrics, mean_squared_error
from gauntlet.autoencoders.game import Game, Rules, Step
from gauntlet.catalogue.autoencoders import Autoencoder
from gauntlet.catalogue.parameters import Value
from gauntlet.catalogue.trainings import Training
from gauntlet.seeding import child_seed
from gauntlet.training.checkpoint import Checkpoint
from gauntlet.training.keras_loops import EpochReport, Progress, epoch_seed, predict, shuffled
from gauntlet.training.outcome import Outcome
from gauntlet.training.runtime import start_from

ADVICE = "Lower the four rates, --defender_init_rate to --attacker_rate."


def train(
    training: Training[Autoencoder],
    images: Images,
    report: EpochReport,
    checkpoint: Checkpoint | None = None,
    *,
    epochs: int,
    init_epochs: int,
    batch_size: int,
    validation_size: int,
    **rules: Value,
) -> Outcome:
    """Build and train both players; the defender is the autoencoder that others build on.

    Args:
        training: the defender's network and the seed.
        images: `(n, height, width, channels)` in [0, 1]; the last `validation_size` are held out.
        report: called after every epoch of both phases, with means over batches.
        checkpoint: where the training is saved between epochs; None: nowhere.
        epochs: passes over the images, of both phases.
        init_epochs: those of the first phase, which ignores the constraint.
        batch_size: images per step.
        validation_size: how many of the last images are held out.
        rules: see `Rules`.

    Raises:
        DivergenceError: a metric became NaN or infinite.
    """
    # The seed of the convolutional autoencoder, FUNN's control: the defender begins with the same
    # weights and sees the same batches.
    seed = child_seed(training.seed, "autoencoder")
    start_from(seed)
    game = Game(training, images.shape[1:], Rules(**rules))
    progress = Progress(report, game.variables, checkpoint, ADVICE)
    done = progress.resume()
    cut, first = len(images) - validation_size, init_epochs + 1
    phases = (game.initial_step, range(1, first)), (game.step, range(first, epochs + 1))
    # A phase that was over before an interruption is not compiled. The second is compiled after the
    # first, because it takes the features of the attacker's encoder as they are then.
    for compile_step, numbers in phases:
        if left := [epoch for epoch in numbers if epoch > done]:
            step = compile_step(images[:cut])
            for epoch in left:
                metrics = _run_epoch(step, cut, batch_size, seed, epoch)
                progress.end_epoch(metrics | dict(_validate(game, images[cut:], seed)))
    return Outcome(game.defender, game.attacker.models)


def _run_epoch(step: Step, n: int, batch_size: int, seed: int, epoch: int) -> dict[str, float]:
    """Take a step on each batch; return each metric's mean over batches, as `train/...`."""
    order = shuffled(n, epoch_seed(seed, epoch))
    noise = child_seed(seed, "noise", str(epoch))
    # A Python loop, not a compiled one, so that Ctrl-C works between two steps.
    batches = [
        step(order[first : first + batch_size], (noise, first)) for first in range(0, n, batch_size)
    ]
    return {
        f"train/{name}": float(np.mean([batch[name] for batch in batches], dtype=np.float64))
        for name in batches[0]
    }


def _validate(game: Game, images: Images, seed: int) -> Iterator[tuple[str, float]]:
    """Yield `val/...` metrics on the images that were held out; nothing if there are none."""
    if len(images):
        attacked = game.attacker.attack(images, child_seed(seed, "validation"))
        error = mean_squared_error(images, predict(game.defender, images))
        yield "val/reconstruction", float(error)
        yield from game_metrics("val", images, attacked, predict(game.defender, attacked))
