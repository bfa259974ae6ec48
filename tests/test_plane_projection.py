"""The nearest point of a plane inside a box: by hand, and against solvers of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import linprog, minimize

from gauntlet.attacks.plane_projection import to_plane

UNIT_BOX, NO_BOX = (0.0, 1.0), (-np.inf, np.inf)

every_norm = pytest.mark.parametrize("norm", ["l2", "linf"])


def _change(point, normal, gap: float, norm: str, box=UNIT_BOX) -> np.ndarray:
    """Return the change of one image of four pixels."""
    image, gradient = (
        tf.reshape(tf.constant(v, tf.float32), (1, 2, 2, 1)) for v in (point, normal)
    )
    low, high = (tf.constant(end, tf.float32) for end in box)
    return to_plane(image, gradient, tf.constant([gap]), low, high, norm).numpy().ravel()


GREY = [0.5, 0.5, 0.5, 0.5]
BY_HAND = {
    # 0.6 / (3 + 1 + 2) along the signs; a pixel of weight 0 stays.
    "linf, free": (GREY, [3, -1, 0, 2], 0.6, "linf", [0.1, -0.1, 0, 0.1]),
    # 1.4 / (9 + 1 + 4) along the normal.
    "l2, free": (GREY, [3, -1, 0, 2], 1.4, "l2", [0.3, -0.1, 0, 0.2]),
    # The first pixel has room for 0.05; three others share 0.6.
    "linf, one at the edge": (
        [0.95, 0.5, 0.5, 0.5],
        [1, 1, 1, 1],
        0.65,
        "linf",
        [0.05, 0.2, 0.2, 0.2],
    ),
    # 0.5 / 3 is beyond the second pixel's room of 0.1; two others share 0.4.
    "linf, one after another": ([1, 0.9, 0.5, 0.5], [1, 1, 1, 1], 0.5, "linf", [0, 0.1, 0.2, 0.2]),
    # A shift of 0.6 / 6 would move the first pixel by 0.2, beyond its room of 0.1; 0.4 / 2 is left.
    "l2, one at the edge": ([0.9, 0.5, 0.5, 0.5], [2, 1, 1, 0], 0.6, "l2", [0.1, 0.2, 0.2, 0]),
    "downwards": ([0.05, 0.5, 0.5, 0.5], [1, 1, 1, 1], -0.65, "linf", [-0.05, -0.2, -0.2, -0.2]),
    "linf, out of reach": (GREY, [1, -1, 0, 1e-3], 5.0, "linf", [0.5, -0.5, 0, 0.5]),
    "l2, out of reach": (GREY, [1, -1, 0, 1e-3], 5.0, "l2", [0.5, -0.5, 0, 0.5]),
    "on the plane": (GREY, [1, 2, 3, 4], 0.0, "l2", [0, 0, 0, 0]),
    "no gradient": (GREY, [0, 0, 0, 0], 1.0, "linf", [0, 0, 0, 0]),
}


@pytest.mark.parametrize(
    ("point", "normal", "gap", "norm", "change"), BY_HAND.values(), ids=BY_HAND
)
def test_by_hand(point, normal, gap: float, norm: str, change) -> None:
    np.testing.assert_allclose(_change(point, normal, gap, norm), change, atol=1e-6)


@every_norm
def test_without_a_box_every_gap_is_closed(norm: str) -> None:
    normal = np.array([3.0, -1.0, 0.0, 2.0])
    change = _change(GREY, normal, 600.0, norm, NO_BOX)
    expected = 600 * normal / 14 if norm == "l2" else 100 * np.sign(normal)
    np.testing.assert_allclose(change, expected, rtol=1e-6)


def _random(n: int, pixels: int) -> tuple[np.ndarray, ...]:
    """Return points in the unit box, many at its edges, normals, some 0, and reachable gaps."""
    random = np.random.default_rng(0)
    points = (2 * random.random((n, pixels)) - 0.5).clip(0, 1)
    normals = random.normal(size=(n, pixels)) * (random.random((n, pixels)) < 0.8)
    corners = np.where(normals > 0, 1, 0)
    reach = ((corners - points) * normals).sum(axis=1)
    return points, normals, reach * random.uniform(0.05, 0.95, n)


def _shortest_linf(point: np.ndarray, normal: np.ndarray, gap: float) -> float:
    """Minimise t over changes c with -t <= c <= t, normal . c = gap and point + c in the box."""
    n = len(point)
    sides = np.block([[np.eye(n), -np.ones((n, 1))], [-np.eye(n), -np.ones((n, 1))]])
    found = linprog(
        np.eye(n + 1)[n],
        A_ub=sides,
        b_ub=np.zeros(2 * n),
        A_eq=[[*normal, 0]],
        b_eq=[gap],
        bounds=[*zip(-point, 1 - point, strict=True), (0, None)],
    )
    return float(found.fun)


def _shortest_l2(point: np.ndarray, normal: np.ndarray, gap: float) -> float:
    found = minimize(
        lambda c: c @ c,
        np.zeros_like(point),
        jac=lambda c: 2 * c,
        bounds=list(zip(-point, 1 - point, strict=True)),
        constraints={"type": "eq", "fun": lambda c: normal @ c - gap, "jac": lambda _: normal},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    return float(np.sqrt(found.fun))


@every_norm
def test_no_solver_finds_a_shorter_change(norm: str) -> None:
    points, normals, gaps = _random(20, 12)
    images, gradients = (tf.constant(v.reshape(20, 4, 3, 1), tf.float32) for v in (points, normals))
    low, high = tf.constant(0.0), tf.constant(1.0)
    found = to_plane(images, gradients, tf.constant(gaps, tf.float32), low, high, norm)
    changes = found.numpy().reshape(20, 12).astype(np.float64)
    np.testing.assert_allclose((changes * normals).sum(axis=1), gaps, atol=1e-5)
    assert (points + changes).min() >= -1e-6 and (points + changes).max() <= 1 + 1e-6
    shortest = _shortest_linf if norm == "linf" else _shortest_l2
    lengths = np.linalg.norm(changes, axis=1, ord=np.inf if norm == "linf" else 2)
    for length, *problem in zip(lengths, points, normals, gaps, strict=True):
        assert length == pytest.approx(shortest(*problem), rel=1e-4)
