"""The nearest point of a plane inside a box, in Linf or L2: the step of FAB.

The shortest change moves every pixel towards the plane, in proportion to a shift s that all pixels
share, until the pixel meets the edge of the box: by s in Linf, by s |w_i| in L2, where w is the
normal of the plane (Croce and Hein 2020, arXiv:1907.02044). So only the number s is sought.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gauntlet.arrays import Tensor
from gauntlet.attacks.nearest import wide
from gauntlet.attacks.norms import PIXELS


def to_plane(
    points: Tensor, normals: Tensor, gap: Tensor, low: Tensor, high: Tensor, norm: str
) -> Tensor:
    """Return the shortest change of each point that closes its gap without leaving the box.

    Where no change closes it, this is the one that comes nearest: every pixel that helps goes to
    the edge. A pixel whose part of the normal is 0 stays. Traceable.

    Args:
        points: inside the box, `(n, height, width, channels)`.
        normals: shaped as the points; finite.
        gap: value that the inner product of normal and change shall have, `(n,)`.
        low: lower end of the box.
        high: its upper end; both are infinite without a box.
        norm: name in `NORMS`, in which the change is the shortest.
    """
    towards = normals * wide(tf.sign(gap))
    slope = tf.abs(towards)
    helps = slope > 0
    room = tf.where(towards > 0, high - points, points - low)
    pace = slope if norm == "l2" else tf.ones_like(slope)
    edge = tf.where(helps, room / pace, np.inf)
    shift = _shift(tf.abs(gap), slope * pace, slope * room, edge)
    return tf.where(helps, tf.sign(towards) * tf.minimum(wide(shift) * pace, room), 0.0)


def _shift(gap: Tensor, rates: Tensor, most: Tensor, edges: Tensor) -> Tensor:
    """Return the least shift that closes each gap; infinite where none does, `(n,)`.

    What a shift closes rises along straight lines that become flatter with every pixel that meets
    the edge: it is a concave function. Newton's method from the left therefore never passes the
    solution, and a pixel once held at the edge stays there. As each round holds further pixels, or
    is the last, the result is exact after finitely many rounds, in practice about five. The authors
    sort the pixels instead.

    Args:
        gap: to be closed, `(n,)`, at least 0.
        rates: what each pixel closes per unit of the shift, shaped as the points.
        most: what each pixel closes at the edge.
        edges: shift at which each pixel meets the edge; infinite where it never does.
    """

    def further(shift: Tensor) -> Tensor:
        free = wide(shift) < edges
        held = tf.reduce_sum(tf.where(free, 0.0, most), PIXELS)
        rate = tf.reduce_sum(tf.where(free, rates, 0.0), PIXELS)
        # Without a free pixel, all are at the edge, and any larger shift means the same.
        return tf.maximum(shift, tf.where(rate > 0, (gap - held) / rate, np.inf))

    def round_of(shift: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        longer = further(shift)
        return longer, tf.reduce_any(longer > shift)

    start = tf.zeros_like(gap)
    shift, _ = tf.while_loop(lambda _, grew: grew, round_of, (start, tf.constant(True)))
    return shift
