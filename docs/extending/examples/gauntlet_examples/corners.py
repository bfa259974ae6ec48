"""The attack `corners`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from gauntlet.attacks.base import Attack, Batch, Crafted, Threat, clip_to
from gauntlet.attacks.gradients import compiled_score, margin
from gauntlet.seeding import child_seed


@dataclass(frozen=True)
class Corners(Attack):
    """Try random corners of the cube that a budget spans, and keep the best.

    Attributes:
        draws: corners per image.
    """

    draws: int

    def _perturb(self, threat: Threat, batch: Batch, epsilon: float, state: None) -> Crafted:
        score = compiled_score(threat.logits, margin)
        best, best_score = batch.images, tf.fill(tf.shape(batch.labels), -np.inf)
        for draw in range(self.draws):
            signs = tf.sign(batch.uniform(child_seed(threat.seed, "corners", str(draw))))
            tried = clip_to(threat.box, batch.images + epsilon * signs)
            tried_score = score(tried, batch.labels)
            better = tried_score > best_score
            best = tf.where(better[:, None, None, None], tried, best)
            best_score = tf.where(better, tried_score, best_score)
        return Crafted(best, gradient_calls=0, queries=self.draws)
